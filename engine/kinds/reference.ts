import type { Reference } from "./saving-rules.ts";

/** A reference to what has to be there. Its readers leave out whatever is not a name. */
export const firmly = (resource: string, name: unknown): Reference => ({
  resource,
  name: name as string,
  isLoose: false,
});

/** A reference to what may be nothing but a name. */
export const loosely = (resource: string, name: unknown): Reference => ({
  resource,
  name: name as string,
  isLoose: true,
});
