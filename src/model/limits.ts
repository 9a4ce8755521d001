/** Bounds of the model. They keep one request from costing everybody; a request beyond them is a conflict. */
export const LIMITS = {
  loadBalancers: 10_000,
  listenersPerLoadBalancer: 64,
  poolsPerLoadBalancer: 256,
  membersPerPool: 1024,
  l7PoliciesPerLoadBalancer: 256,
  l7RulesPerLoadBalancer: 1024,
  /** Octavia's; a line of HAProxy's configuration has room for so many. */
  l7RulesPerPolicy: 50,
  /** Octavia's; positions beyond the last are the last. */
  maxL7Position: 2_147_483_647,
  subnetsPerNetwork: 32,
  balancerRangesPerNetwork: 32,
  /** Characters of a name, description, owner or iface-id. */
  textLength: 255,
  tagsPerObject: 100,
  maxWeight: 256,
  maxVlan: 4094,
  allowedCidrsPerListener: 256,
  flavors: 1000,
  hostsPerZone: 1000,
  minVcpus: 0.01,
  maxVcpus: 64,
  minMemoryMib: 16,
  maxMemoryMib: 1 << 20,
  /** Octavia's highest time-out, in milliseconds. */
  maxTimeoutMs: 2_073_600_000,
  maxSlowStartSeconds: 3600,
  /** A flow has 16 bits for it. */
  maxPersistenceSeconds: 65_535,
  maxConnections: 10_000_000,
  maxMonitorSeconds: 86_400,
  maxMonitorRetries: 10,
  maxLocalityFactor: 256,
  /** Octavia's highest. */
  maxQuota: 2_000_000_000,
} as const;
