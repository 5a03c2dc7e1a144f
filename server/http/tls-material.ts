import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import type { Logger } from "../../engine/logger.ts";
import type { TlsConfig } from "../settings/config.ts";
import { ReloadedFiles } from "./reloaded-files.ts";

/** The certificate, its key and, where clients are asked for certificates, the authorities (`ca`), that belong together. */
export type TlsMaterial = Readonly<SecureContextOptions>;

/** Reads what a TLS listener needs. Rejects, naming the file, when it cannot be used. */
export function openTlsMaterial(config: TlsConfig, log: Logger): Promise<ReloadedFiles<TlsMaterial>> {
  const { certificateFile, keyFile, clientCaFile } = config;
  const paths = [certificateFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])];
  return ReloadedFiles.open(
    paths,
    ([cert, key, ca]) => {
      const material: TlsMaterial = {
        cert,
        key,
        minVersion: "TLSv1.2",
        ...(ca && { ca: authorities(ca, clientCaFile) }),
      };
      try {
        createSecureContext(material);
      } catch (cause) {
        const { reason, message } = cause as Error & { readonly reason?: string };
        const what = `${certificateFile} and ${keyFile} are not a certificate and its key, both PEM`;
        throw new Error(`${what}: ${reason ?? message}`, { cause });
      }
      return material;
    },
    log,
  );
}

/** OpenSSL passes over anything that is not a certificate, and an empty list would stand for the public authorities. */
function authorities(pem: Buffer, file: string | undefined): string[] {
  const blocks = pem.toString().match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`${file} holds no certificate in PEM`);
  for (const block of blocks) {
    const { ca, subject } = new X509Certificate(block);
    if (!ca) throw new Error(`${file}: ${subject.replaceAll("\n", ", ")} is not the certificate of an authority`);
  }
  return blocks;
}
