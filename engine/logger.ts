/**
 * The process's own log, as pino offers it: fields, then a constant text. `err` is the field for an error; its stack
 * goes here and nowhere else.
 */
export interface Logger {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export const silentLogger: Logger = { info() {}, warn() {}, error() {} };
