import { Argument, type Command } from 'commander';
import type { Io } from './io.ts';
import { completionScript, SHELLS, type Shell } from './manual/completion.ts';
import { describeCommand } from './manual/describe.ts';

/** `hostlb completion SHELL` */
export function addCompletionCommand(program: Command, io: Io): void {
  program
    .command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText('after', '\nExample:\n  source <(hostlb completion bash)')
    .action((shell: Shell) => void io.stdout.write(completionScript(shell, describeCommand(program))));
}
