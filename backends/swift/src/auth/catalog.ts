/** A service of a Keystone v3 token (Identity API v3, "catalog"). */
export interface CatalogService {
  readonly type: string
  readonly endpoints: readonly CatalogEndpoint[]
}

export interface CatalogEndpoint {
  readonly interface: string
  readonly url: string
  readonly region?: string | undefined
}

export interface EndpointChoice {
  readonly serviceType: string
  readonly interface: 'public' | 'internal' | 'admin'
  /** Undefined: the first there is. */
  readonly region: string | undefined
}

/** The URL of the endpoint, undefined when the catalog has none of the kind. */
export function endpointOf(catalog: readonly CatalogService[], choice: EndpointChoice): string | undefined {
  return catalog
    .filter(({ type }) => type === choice.serviceType)
    .flatMap(({ endpoints }) => endpoints)
    .find(
      ({ interface: kind, region }) =>
        kind === choice.interface && (choice.region === undefined || region === choice.region),
    )?.url
}
