/**
 * The process's own log, as pino offers it: fields, then what happened. That text is constant, but for the lines of a job's
 * log, which are here, too. `err` is the field for an error; its stack goes here and nowhere else.
 */
export interface Logger {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export const silentLogger: Logger = { info() {}, warn() {}, error() {} };
