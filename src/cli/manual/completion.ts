// biome-ignore-all lint/suspicious/noTemplateCurlyInString: shells write their parameters so
/** Completion scripts, made from the commands. Each finds the command that the words so far name, and offers what may follow. */
import { type DescribedCommand, type DescribedOption, everyCommand } from './describe.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The script for that shell to source. */
export function completionScript(shell: Shell, program: DescribedCommand): string {
  return SCRIPTS[shell](everyCommand(program));
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly DescribedCommand[]) => string>> = { bash, zsh, fish };

/** How scripts write a command: each word with a space before it. */
const key = ({ path }: DescribedCommand): string => path.map((word) => ` ${word}`).join('');
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function valued(command: DescribedCommand): readonly DescribedOption[] {
  return command.options.filter(({ takesValue }) => takesValue);
}

/** A case of bash and zsh: the option of a command whose value comes next. */
function valueCases(commands: readonly DescribedCommand[], offer: (choices: readonly string[]) => string): string[] {
  return commands.flatMap((command) =>
    valued(command).map(({ names, choices }) => {
      const patterns = names.map((name) => quote(`${key(command)} ${name}`)).join('|');
      return `    ${patterns}) ${offer(choices)}; return ;;`;
    }),
  );
}

/** Moves along the words that name a command. */
function walk(commands: readonly DescribedCommand[], words: string): string[] {
  const known = commands.filter(({ path }) => path.length > 0).map((command) => quote(key(command)));
  return [
    `  for word in ${words}; do`,
    '    case "$at $word" in',
    `      ${known.join('|')}) at="$at $word" ;;`,
    '    esac',
    '  done',
  ];
}

function bash(commands: readonly DescribedCommand[]): string {
  const offered = (command: DescribedCommand): string =>
    [...command.subcommands.map(({ path }) => path.at(-1)!), ...command.options.flatMap(({ names }) => names)].join(
      ' ',
    );
  return lines([
    '# hostlb completion for bash: source it, or put it into /etc/bash_completion.d',
    '_hostlb() {',
    '  local at="" word words cur="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
    '  COMPREPLY=()',
    ...walk(commands, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"'),
    '  case "$at $previous" in',
    ...valueCases(commands, (choices) =>
      choices.length === 0
        ? 'COMPREPLY=($(compgen -f -- "$cur"))'
        : `COMPREPLY=($(compgen -W ${quote(choices.join(' '))} -- "$cur"))`,
    ),
    '  esac',
    '  case "$at" in',
    ...commands.map((command) => `    ${quote(key(command))}) words=${quote(offered(command))} ;;`),
    '  esac',
    '  COMPREPLY=($(compgen -W "$words" -- "$cur"))',
    '}',
    'complete -o default -F _hostlb hostlb',
  ]);
}

function zsh(commands: readonly DescribedCommand[]): string {
  const entry = (name: string, description: string): string => quote(`${name}:${description}`);
  const offered = (command: DescribedCommand): string =>
    [
      ...command.subcommands.map(({ path, description }) => entry(path.at(-1)!, description)),
      ...command.options.flatMap(({ names, description }) => names.map((name) => entry(name, description))),
    ].join(' ');
  return lines([
    '#compdef hostlb',
    '# hostlb completion for zsh: put it into a folder of $fpath as _hostlb',
    '_hostlb() {',
    '  local at="" word',
    '  local -a found',
    ...walk(commands, '"${(@)words[2,CURRENT-1]}"'),
    '  case "$at ${words[CURRENT-1]}" in',
    ...valueCases(commands, (choices) =>
      choices.length === 0 ? '_files' : `compadd -- ${choices.map(quote).join(' ')}`,
    ),
    '  esac',
    '  case "$at" in',
    ...commands.map((command) => `    ${quote(key(command))}) found=(${offered(command)}) ;;`),
    '  esac',
    '  _describe -V hostlb found || _files',
    '}',
    'compdef _hostlb hostlb',
  ]);
}

function fish(commands: readonly DescribedCommand[]): string {
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const at = (command: DescribedCommand): string =>
    `complete -c hostlb -n ${quoted(`__hostlb_at ${quoted(key(command))}`)}`;
  const option = (command: DescribedCommand, { names, takesValue, choices, description }: DescribedOption): string => {
    const flags = names
      .map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
      .join(' ');
    const value = choices.length > 0 ? ` -x -a ${quoted(choices.join(' '))}` : takesValue ? ' -r' : '';
    return `${at(command)} ${flags}${value} -d ${quoted(description)}`;
  };
  const known = commands.filter(({ path }) => path.length > 0).map((command) => quoted(key(command)));
  return lines([
    '# hostlb completion for fish: put it into ~/.config/fish/completions/hostlb.fish',
    'function __hostlb_at',
    "  set -l at ''",
    '  for word in (commandline -opc)[2..-1]',
    `    contains -- "$at $word" ${known.join(' ')}; and set at "$at $word"`,
    '  end',
    '  test "$at" = "$argv[1]"',
    'end',
    ...commands.flatMap((command) => [
      ...command.subcommands.map(
        ({ path, description }) => `${at(command)} -f -a ${quoted(path.at(-1)!)} -d ${quoted(description)}`,
      ),
      ...command.options.map((one) => option(command, one)),
    ]),
  ]);
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
