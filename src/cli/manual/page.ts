/** The manual page in man(7), made from the commands. */
import { type DescribedCommand, everyCommand } from './describe.ts';

/** `version` stands in the footer; there is no date, so that the page changes only with the commands. */
export function manualPage(program: DescribedCommand, version: string): string {
  const { subcommands, options } = program;
  const commands = subcommands.flatMap(everyCommand).filter((command) => command.subcommands.length === 0);
  return [
    '.\\" Made from the commands: do not edit.',
    `.TH HOSTLB 1 "" "hostlb ${version}" "User Commands"`,
    '.SH NAME',
    `hostlb \\- ${roff(program.description)}`,
    '.SH SYNOPSIS',
    '.B hostlb',
    '.I NOUN VERB',
    '.RI [ OPTIONS ]',
    '.SH OPTIONS',
    ...options.flatMap(({ flags, description }) => item(flags, description)),
    '.SH COMMANDS',
    ...commands.flatMap(section),
    '.SH ENVIRONMENT',
    ...item('HOSTLB_API', 'URL of the API, where neither --api nor --endpoint is given.'),
    ...item('HOSTLB_TOKEN, HOSTLB_USER, HOSTLB_PASSWORD, HOSTLB_PROJECT', 'who the user is, where the API asks.'),
    ...item('HOSTLB_CERTIFICATE, HOSTLB_PRIVATE_KEY, HOSTLB_CA_CERT', 'files for TLS, in PEM.'),
    '.SH EXIT STATUS',
    ...item('0', 'ok'),
    ...item('1', 'failed; one line on stderr says why'),
    ...item('2', 'wrong usage'),
    '.SH SEE ALSO',
    '.BR ovs-ofctl (8),',
    '.BR ovs-vsctl (8)',
    '',
  ].join('\n');
}

function section({ path, description, arguments: words, options }: DescribedCommand): readonly string[] {
  const usage = ['hostlb', ...path, ...words].join(' ');
  return [
    `.SS "${roff(usage)}"`,
    roff(`${description[0]?.toUpperCase()}${description.slice(1)}.`),
    ...options.flatMap((option) => item(option.flags, option.description)),
  ];
}

function item(term: string, text: string): readonly string[] {
  return ['.TP', `.B ${roff(term)}`, roff(text)];
}

/** What roff would take for its own. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1')
    .replaceAll('"', '\\(dq')
    .replaceAll('\n', ' ');
}
