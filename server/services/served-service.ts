import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouterOptions, ServiceImpl } from "@connectrpc/connect";

/** A service, what answers its calls, and what differs from the others. */
export interface ServedService {
  readonly service: DescService;
  readonly implementation: Partial<ServiceImpl<DescService>>;
  readonly options?: Partial<ConnectRouterOptions>;
}

/** A service with its implementation, which fits it. */
export function served<Service extends DescService>(
  service: Service,
  implementation: ServiceImpl<Service>,
  options?: Partial<ConnectRouterOptions>,
): ServedService {
  return { service, implementation: implementation as ServedService["implementation"], ...(options && { options }) };
}
