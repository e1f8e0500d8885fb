// @ts-check
const FREE = 'nobody';

/** A role as its members see it, with moments in milliseconds. `told` is the answer of GET /api/roles/{id}. */
export function readRole(told) {
  const names = new Map((told.members ?? []).map(({ id, name }) => [id, name]));
  const at = (each) => ({ ...each, starts: Date.parse(each.starts), ends: Date.parse(each.ends), doctors: each.doctors ?? [] });
  return {
    ...told,
    layers: (told.rota?.layers ?? []).map(({ name }) => name),
    members: told.members ?? [],
    shifts: (told.shifts ?? []).map(at),
    gaps: (told.gaps ?? []).map(at),
    overlaps: (told.overlaps ?? []).map(at),
    changes: (told.changes ?? []).map(at),
    nameOf: (id) => names.get(id) ?? FREE,
  };
}

/** Her own shifts that are not over, the next first. */
export function ownShifts({ shifts, you }, now = Date.now()) {
  return shifts.filter(({ doctors, ends }) => doctors.includes(you) && ends > now).sort((one, other) => one.starts - other.starts);
}

/** The next moment at which a clock on the wall shows that hour, by the reader's own. */
export function nextHour(hour, now = Date.now()) {
  const at = new Date(now);
  at.setHours(hour, 0, 0, 0);
  if (at.getTime() <= now) at.setDate(at.getDate() + 1);
  return at.getTime();
}
