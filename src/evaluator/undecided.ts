const KEY = 'a key is not there';
const TYPES = 'values of types that do not go together';
const REPEATED = 'a header or parameter was sent more than once';
const CONVERSION = 'a value cannot be converted';

/** The library's codes in words. A code that is not here is told as nothing at all. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ['no_such_key', KEY],
  ['index_out_of_bounds', KEY],
  ['index_out_of_range', KEY],
  ['optional_value_missing', KEY],
  ['no_such_overload', TYPES],
  ['no_matching_overload', TYPES],
  // Headers and parameters have no other type than text (condition.ts, REPEATED).
  ['field_type_mismatch', REPEATED],
  ['list_item_type_mismatch', TYPES],
  ['variable_type_mismatch', TYPES],
  ['invalid_comparison_type', TYPES],
  ['invalid_comprehension_range', TYPES],
  ['invalid_condition_type', TYPES],
  ['invalid_index_type', TYPES],
  ['invalid_logical_operand', TYPES],
  ['cannot_index_type', TYPES],
  ['bool_conversion_error', CONVERSION],
  ['double_conversion_error', CONVERSION],
  ['int_conversion_error', CONVERSION],
  ['uint_conversion_error', CONVERSION],
  ['invalid_timestamp', CONVERSION],
  ['invalid_duration', CONVERSION],
  ['division_by_zero', 'a division by zero'],
  ['modulo_by_zero', 'a division by zero'],
  ['numeric_overflow', 'a number is too large'],
]);

/**
 * A condition could not be decided for a request. Says at most the kind of failure and keeps no cause: the
 * library's own words hold what a header or the query said, and this message goes into records.
 */
export class UndecidedError extends Error {
  override readonly name = 'UndecidedError';

  constructor(failure: unknown) {
    const code = failure instanceof Error && 'code' in failure ? failure.code : undefined;
    const kind = typeof code === 'string' ? KINDS.get(code) : undefined;
    super(`the condition could not be decided${kind === undefined ? '' : `: ${kind}`}`);
  }
}
