import { expect } from 'chai';
import { isEffective, poolsOf } from '../../src/model/l7.ts';
import { regexProblem } from '../../src/model/regex.ts';
import { atPosition } from '../../src/model/validate.ts';
import { listener, policy, pool, rule } from '../agent/model.ts';

describe('L7 policies', () => {
  it('do something when they and one of their rules are switched on', () => {
    const off = { adminStateUp: false };
    expect(isEffective(policy('p', 'REJECT'))).to.equal(true);
    expect(isEffective(policy('p', 'REJECT', { rules: [rule('a', off), rule('b')] }))).to.equal(true);
    for (const given of [off, { rules: [] }, { rules: [rule('a', off)] }]) {
      expect(isEffective(policy('p', 'REJECT', given))).to.equal(false);
    }
  });

  it('add their pools to those of their listener, each once', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((id) => pool(id, [])) as [never, never, never];
    const to = (redirectPool: never, given = {}) => policy('p', 'REDIRECT_TO_POOL', { redirectPool, ...given });
    expect(poolsOf(listener('l', a, { l7Policies: [to(b), to(a), to(b), to(c, { rules: [] })] }))).to.deep.equal([
      a,
      b,
    ]);
    expect(poolsOf(listener('l', undefined, { l7Policies: [policy('p', 'REJECT')] }))).to.deep.equal([]);
  });

  it('are put at a position, or behind the last', () => {
    const positions = [1, 2, 3, 4, 2_147_483_647, undefined];
    expect(positions.map((position) => atPosition(['a', 'b'], 'x', position).join(''))).to.deep.equal([
      ...['xab', 'axb', 'abx', 'abx', 'abx', 'abx'],
    ]);
  });
});

describe('regular expressions', () => {
  for (const text of [
    ...['', 'a|b|', '^/a(b|c)*?$', '[^/]+', '[]a-]', '[^]]', '[\\d_.-]', '[[:alpha:][:digit:]]', '(?i)x', '(?i:x)y'],
    ...[
      '(?P<n>x)',
      '(?=x)y',
      '(?!x)y',
      'a{2}',
      'a{2,}',
      'a{2,5}+',
      'a{b}',
      '\\.\\/\\x2e\\t',
      '\\bx\\b',
      '[.]com',
      'a++',
    ],
  ]) {
    it(`are: ${text}`, () => expect(regexProblem(text)).to.equal(undefined));
  }

  for (const [text, problem] of [
    ['*a', 'nothing to repeat at position 0'],
    ['a**', 'nothing to repeat at position 1'],
    ['^*', 'nothing to repeat at position 1'],
    ['a|+', 'nothing to repeat at position 2'],
    ['(a', 'missing ) at position 2'],
    ['a)', 'unbalanced parenthesis at position 1'],
    ['[a', 'missing ] at position 2'],
    ['[]', 'missing ] at position 2'],
    ['[z-a]', 'a bad range at position 4'],
    ['[\\d-z]', 'a bad range at position 5'],
    ['[[:letter:]]', 'an unknown class at position 1'],
    ['[:alpha:]', 'a class that is in none at position 0'],
    ['(?<=a)b', 'a group of an unknown kind at position 1'],
    ['(?P<n>a)(?P<n>b)', 'another group n at position 14'],
    ['(*UTF)a', 'nothing to repeat at position 1'],
    ['(a)\\1', 'an unknown escape at position 3'],
    ['\\Q.', 'an unknown escape at position 0'],
    ['a\\', 'an unknown escape at position 1'],
    ['a{1001}', 'repetitions of more than 1000'],
    ['a{3,2}', 'a repetition of 3 to 2'],
    ['((ab){100}){100}', 'it is too large'],
  ] as const) {
    it(`are not: ${text}`, () => expect(regexProblem(text)).to.equal(problem));
  }
});
