import type { Interceptor } from "@connectrpc/connect";
import { currentAudit } from "../audit/call-audit.ts";

/** Methods that change nothing. Whatever is added counts as one that does. */
const reading = /^(describe|get|list)(?=[A-Z])/;

/** Tells the call's audit what is asked for and what came of it. Around all other interceptors. */
export const auditCalls: Interceptor = (next) => async (request) => {
  const audit = request.contextValues.get(currentAudit);
  if (!audit || request.stream) return next(request);
  audit.begin(request.message);
  try {
    const response = await next(request);
    audit.end(response.stream ? undefined : response.message);
    return response;
  } catch (error) {
    audit.end();
    throw error;
  }
};

/** Has what changes something audited before it is done. Within all other interceptors. */
export const auditChanges: Interceptor = (next) => async (request) => {
  if (!reading.test(request.method.localName)) request.contextValues.get(currentAudit)?.accept();
  return next(request);
};
