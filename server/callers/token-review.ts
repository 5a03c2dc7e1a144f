import type { Access } from "../../engine/access.ts";
import { notValid, type TokenVerifier } from "./bearer-token.ts";

/** Tokens that the cluster knows, such as those of service accounts, when they are meant for one of the audiences. */
export function tokenReview(access: () => Access, audiences: readonly string[]): TokenVerifier {
  return {
    recognises: () => true,
    async verify(token, signal) {
      const user = await access().reviewToken(token, audiences, signal);
      if (!user) throw notValid(`the cluster knows no such token for ${audiences.join(", ")}`);
      return { name: user.username, groups: user.groups, clusterUser: user };
    },
  };
}
