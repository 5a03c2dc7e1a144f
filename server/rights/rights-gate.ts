import { DrsError } from "../../engine/errors.ts";
import type { Callers } from "../callers/authentication.ts";
import type { Gate } from "../gate/gate.ts";

/**
 * Lets callers do what the method's declaration lets them: those who have its right, where it asks for one. A method
 * without a declaration is refused to everybody, also where nobody is asked who calls.
 */
export function rightsGate(callers: Callers | undefined): Gate {
  return {
    async enter({ identity }, { name, rule }, signal) {
      if (rule.callers === "nobody")
        throw new DrsError("PERMISSION_DENIED", `${name} declares no access: nobody may call it`, { id: "DRS-C013" });
      if (rule.callers !== "granted" || !callers?.authorize) return;
      if (!identity) throw new DrsError("UNAUTHENTICATED", "the caller is unknown", { id: "DRS-C001" });
      await callers.authorize(identity, rule.right, signal);
    },
  };
}
