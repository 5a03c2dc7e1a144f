import type { Auth } from "../../engine/cluster-auth.ts";
import { notValid, type TokenVerifier } from "./bearer-token.ts";

/** Tokens that the cluster knows, such as those of service accounts, when they are meant for one of the audiences. */
export function tokenReview(auth: () => Auth, audiences: readonly string[]): TokenVerifier {
  return {
    recognises: () => true,
    async verify(token, signal) {
      const user = await auth().authenticateToken(token, audiences, signal);
      if (!user) throw notValid(`the cluster knows no such token for ${audiences.join(", ")}`);
      return { name: user.username, groups: user.groups, clusterUser: user };
    },
  };
}
