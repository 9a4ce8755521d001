import Mocha from 'mocha';

const { EVENT_RUN_END } = Mocha.Runner.constants;

/** How long what tests began may take to end after the last one. */
const END_TIMEOUT_MS = 30_000;

/**
 * mocha's spec reporter, closed by one plain line that scripts can read: `N passed, N failed, N skipped`. Where a test
 * left something behind that keeps mocha from ending, it says what kind of thing, and ends it as failed.
 */
export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.once(EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      process.stdout.write(`${passes} passed, ${failures} failed, ${pending} skipped\n`);
      setTimeout(() => {
        process.stdout.write(`still at work after the last test: ${process.getActiveResourcesInfo().join(', ')}\n`);
        process.exit(1);
      }, END_TIMEOUT_MS).unref();
    });
  }
}
