import { Option } from "commander";
import { parseDuration } from "./parsers.ts";

/** An option that the environment variable of its name sets too: `--tls-cert` and `DRS_TLS_CERT`. */
export function setting(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.env(`DRS_${option.name().replaceAll("-", "_").toUpperCase()}`);
}

export function duration(flags: string, description: string, preset: string): Option {
  return setting(`${flags} <duration>`, description).argParser(parseDuration).default(parseDuration(preset), preset);
}
