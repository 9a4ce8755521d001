/**
 * Regular expressions that HAProxy is sure to take. It refuses its whole configuration for one that PCRE does not compile, so
 * only what is understood here gets there: the common part of Perl's and Python's syntax, without lookbehind and without
 * references to groups, which HAProxy does not capture.
 */

const CLASS_NAMES = 'alnum alpha blank cntrl digit graph lower print punct space upper xdigit word';
const POSIX_CLASS = new RegExp(`^\\[:\\^?(?:${CLASS_NAMES.replaceAll(' ', '|')}):\\]`);
const QUANTIFIER = /^(?:[*+?]|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})/;
/** What PCRE takes for the name of a class that is in none. */
const STRAY_CLASS = /^\[([:.=])(?:\\.|[^\]])*\1\]/;
/** What may follow a backslash: a character, one of a class, or an assertion. */
const ESCAPE = /^\\(?:(x[0-9A-Fa-f]{2}|[tnrf]|[^A-Za-z0-9])|([dDwWsS])|([bBAZ]))/;
const GROUP = /^\((\?(?::|[ims]{1,3}:|P<([A-Za-z_][A-Za-z0-9_]{0,30})>)|\?[=!])?/;
const FLAGS = /^\(\?[ims]{1,3}\)/;
const MAX_COUNT = 1000;
/** Of pieces, each repetition of a group counted: PCRE keeps 64 KiB of a compiled expression. */
const MAX_SIZE = 1000;

/** What is wrong with a regular expression of printable ASCII; undefined = nothing. */
export function regexProblem(text: string): string | undefined {
  try {
    new Reader(text).whole();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
}

class Problem extends Error {}

/** Something that stands for itself, as far as a quantifier after it is concerned. */
interface Piece {
  readonly size: number;
  readonly kind: 'atom' | 'group' | 'assertion';
}

class Reader {
  readonly #text: string;
  readonly #names = new Set<string>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): void {
    if (this.#alternatives() > MAX_SIZE) throw new Problem('it is too large');
    if (this.#at < this.#text.length) this.#fail('unbalanced parenthesis');
  }

  get #rest(): string {
    return this.#text.slice(this.#at);
  }

  #fail(what: string): never {
    throw new Problem(`${what} at position ${this.#at}`);
  }

  /** Moves past what the pattern matches here, if it does. */
  #take(pattern: RegExp): RegExpExecArray | undefined {
    const match = pattern.exec(this.#rest) ?? undefined;
    this.#at += match?.[0].length ?? 0;
    return match;
  }

  /** Everything up to the end or a closing parenthesis. Answers its size, as all below. */
  #alternatives(): number {
    let size = 0;
    while (this.#at < this.#text.length && !this.#rest.startsWith(')')) {
      size += this.#take(/^\|/) === undefined ? this.#term() : 1;
    }
    return size;
  }

  #term(): number {
    if (this.#take(FLAGS) !== undefined) return 0;
    const piece = this.#piece();
    const start = this.#at;
    const quantifier = this.#take(QUANTIFIER);
    if (quantifier === undefined) return piece.size;
    const [, least, comma, most = comma === undefined ? least : undefined] = quantifier;
    this.#take(/^[?+]/);
    if (piece.kind === 'assertion' || QUANTIFIER.test(this.#rest)) {
      this.#at = start;
      this.#fail('nothing to repeat');
    }
    const [from, to] = [Number(least ?? 0), Number(most ?? 0)];
    if (Math.max(from, to) > MAX_COUNT) throw new Problem(`repetitions of more than ${MAX_COUNT}`);
    if (most !== undefined && to < from) throw new Problem(`a repetition of ${from} to ${to}`);
    return piece.kind === 'group' ? piece.size * Math.max(1, from + 1, to) : piece.size;
  }

  #piece(): Piece {
    const [next] = this.#rest;
    if (next === '(') return this.#group();
    if (next === '[') return this.#class();
    if (next === '\\') return this.#escape();
    if (QUANTIFIER.test(this.#rest)) this.#fail('nothing to repeat');
    this.#at += 1;
    return { size: 1, kind: next === '^' || next === '$' ? 'assertion' : 'atom' };
  }

  #group(): Piece {
    const [, special, name] = this.#take(GROUP)!;
    if (special === undefined && this.#rest.startsWith('?')) this.#fail('a group of an unknown kind');
    if (name !== undefined) {
      if (this.#names.has(name)) this.#fail(`another group ${name}`);
      this.#names.add(name);
    }
    const size = 1 + this.#alternatives();
    if (this.#take(/^\)/) === undefined) this.#fail('missing )');
    return { size, kind: special === '?=' || special === '?!' ? 'assertion' : 'group' };
  }

  #escape(): Piece {
    const match = this.#take(ESCAPE);
    if (match === undefined) this.#fail('an unknown escape');
    const [, , , assertion] = match;
    return { size: 1, kind: assertion === undefined ? 'atom' : 'assertion' };
  }

  #class(): Piece {
    if (STRAY_CLASS.test(this.#rest)) this.#fail('a class that is in none');
    this.#take(/^\[\^?/);
    for (let isFirst = true; isFirst || !this.#rest.startsWith(']'); isFirst = false) {
      const from = this.#classItem();
      if (!/^-[^\]]/.test(this.#rest)) continue;
      this.#at += 1;
      const to = this.#classItem();
      if (from === undefined || to === undefined || from > to) this.#fail('a bad range');
    }
    this.#at += 1;
    return { size: 1, kind: 'atom' };
  }

  /** Answers the character's code; undefined where it is several characters. */
  #classItem(): number | undefined {
    if (this.#rest === '') this.#fail('missing ]');
    if (/^\[[:.=]/.test(this.#rest)) {
      if (this.#take(POSIX_CLASS) === undefined) this.#fail('an unknown class');
      return undefined;
    }
    if (!this.#rest.startsWith('\\')) return this.#text.charCodeAt(this.#at++);
    const [, character, several] = this.#take(ESCAPE) ?? [];
    if (several !== undefined) return undefined;
    if (character === undefined) this.#fail('an unknown escape');
    return character.startsWith('x') && character.length === 3
      ? Number.parseInt(character.slice(1), 16)
      : (CONTROLS[character] ?? character.charCodeAt(0));
  }
}

const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, r: 13, f: 12 };
