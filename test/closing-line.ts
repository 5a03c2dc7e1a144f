import { relative } from "node:path";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

interface Failure {
  readonly message: string;
  readonly cause?: Pick<SerializedError, "message"> | undefined;
}

/**
 * Says at the beginning how long all of the tests take, where that is set, and ends a run with "N passed, N failed, N skipped" alone on a line, after a line "failed: WHAT: WHY" for each failure. A file
 * that does not load counts as failed, and so does what fails outside of any test: a worker that dies or does not start.
 */
export default class ClosingLine implements Reporter {
  readonly #takes: string | undefined;

  constructor({ takes }: { readonly takes?: string } = {}) {
    this.#takes = takes;
  }

  onInit(): void {
    if (this.#takes !== undefined) process.stdout.write(`All of these tests take ${this.#takes}.\n`);
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>, strays: ReadonlyArray<SerializedError>): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const failures: string[] = [];
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      for (const test of module.children.allTests()) {
        const { state, errors = [] } = test.result();
        count[state]++;
        if (state === "failed") failures.push(line(`${file} > ${test.fullName}`, errors));
      }
      for (const group of [module, ...module.children.allSuites()]) {
        if (group.errors().length > 0) failures.push(line(file, group.errors()));
      }
    }
    for (const error of strays) failures.push(line("outside of any test", [error]));
    process.stdout.write(`\n${failures.join("")}`);
    process.stdout.write(
      `${count.passed} passed, ${failures.length} failed, ${count.skipped + count.pending} skipped\n`,
    );
  }
}

function line(what: string, errors: ReadonlyArray<Failure>): string {
  const why = errors.map(({ message, cause }) => (cause ? `${message} ${cause.message}` : message)).join("; ");
  return `failed: ${what}: ${why.replaceAll(/\s+/g, " ").slice(0, 500)}\n`;
}
