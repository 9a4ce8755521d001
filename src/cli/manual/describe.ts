/** The commands as data: what completion and the manual page are made from. */
import type { Argument, Command, Option } from 'commander';

export interface DescribedOption {
  /** As the help has it: `-o, --output <format>`. */
  readonly flags: string;
  /** `-o` and `--output`, as far as there are both. */
  readonly names: readonly string[];
  readonly takesValue: boolean;
  readonly choices: readonly string[];
  readonly description: string;
}

export interface DescribedCommand {
  /** Words after `hostlb`; none for the program itself. */
  readonly path: readonly string[];
  readonly description: string;
  /** As the help has them: `<load-balancer>`, `[vip]`. */
  readonly arguments: readonly string[];
  readonly options: readonly DescribedOption[];
  readonly subcommands: readonly DescribedCommand[];
}

export function describeCommand(command: Command, path: readonly string[] = []): DescribedCommand {
  return {
    path,
    description: command.description(),
    arguments: command.registeredArguments.map(argumentText),
    options: command.options.filter(({ hidden }) => !hidden).map(describeOption),
    subcommands: command.commands.map((child) => describeCommand(child, [...path, child.name()])),
  };
}

/** The command and all below it, in the order of the help. */
export function everyCommand(command: DescribedCommand): readonly DescribedCommand[] {
  return [command, ...command.subcommands.flatMap(everyCommand)];
}

function describeOption(option: Option): DescribedOption {
  const { flags, short, long, required, optional, argChoices = [], description } = option;
  const names = [short, long].filter((name) => name !== undefined && name !== null);
  return {
    flags,
    names,
    takesValue: required || optional,
    choices: argChoices,
    description: withDefault(option, description),
  };
}

function withDefault({ defaultValue, argChoices }: Option, description: string): string {
  const choices = argChoices === undefined ? '' : ` (${argChoices.join(', ')})`;
  const byDefault = defaultValue === undefined || defaultValue === false ? '' : ` (default: ${defaultValue})`;
  return `${description}${choices}${byDefault}`;
}

function argumentText(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}
