/** What `POST /v3/auth/tokens` and its kin may carry. */
import { z } from 'zod';
import { ApiError } from '../errors.ts';
import { printPath } from '../validate.ts';
import { DOMAIN } from './json.ts';

const LONGEST = 255;
const LONGEST_SECRET = 512;
const name = z.string().min(1).max(LONGEST);
const secret = z.string().min(1).max(LONGEST_SECRET);
const LONGEST_TOKEN = 2048;

/** Others than ours have no users and projects here. */
const domain = z
  .object({ id: name.optional(), name: name.optional() })
  .refine(
    (given) => given.id === DOMAIN.id || given.name?.toLowerCase() === DOMAIN.name.toLowerCase(),
    `the only domain is ${DOMAIN.name}`,
  );

const user = z.object({ id: name.optional(), name: name.optional(), domain: domain.optional(), password: secret });

const identity = z.object({
  methods: z.array(z.string().max(LONGEST)).min(1).max(1, 'one method at a time'),
  password: z.object({ user }).optional(),
  token: z.object({ id: z.string().min(1).max(LONGEST_TOKEN) }).optional(),
  application_credential: z
    .object({
      id: name.optional(),
      name: name.optional(),
      user: user.omit({ password: true }).optional(),
      secret,
    })
    .optional(),
});

const scope = z.union([
  z.literal('unscoped'),
  z.object({
    project: z.object({ id: name.optional(), name: name.optional(), domain: domain.optional() }).optional(),
    domain: z.unknown().optional(),
    system: z.unknown().optional(),
    unscoped: z.unknown().optional(),
  }),
]);

export const authRequest = z.object({ auth: z.object({ identity, scope: scope.optional() }) });
export type AuthRequest = z.output<typeof authRequest>['auth'];

export const credentialRequest = z.object({
  application_credential: z.object({
    name,
    description: z.string().max(LONGEST).nullish(),
    secret: z.string().min(16).max(LONGEST_SECRET).nullish(),
    expires_at: z.string().max(64).nullish(),
    roles: z
      .array(z.object({ id: name.optional(), name: name.optional() }))
      .max(32)
      .nullish(),
    unrestricted: z.literal(false).nullish(),
  }),
});

export const passwordRequest = z.object({
  user: z.object({ original_password: secret, password: z.string().min(8).max(LONGEST) }),
});

/** The body, checked. Throws ApiError 400 that names the place and never a value: it may be a secret. */
export function readRequest<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ApiError(
    400,
    `Expecting to find valid ${printPath(issue?.path ?? []) || 'JSON'} in request body: ${issue?.message}`,
  );
}
