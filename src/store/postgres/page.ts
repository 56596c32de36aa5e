/** A number of rows that is safe in SQL: 1 to `most`. */
export const pageOf = (limit: number, most = 1000): number =>
  Math.min(Math.max(Math.trunc(limit) || 1, 1), most);
