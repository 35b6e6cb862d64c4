// Says that the site is there.
export default async (request, context) => context.json({ ok: true, at: new Date().toISOString(), site: context.site.name ?? null });
