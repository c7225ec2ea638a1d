/**
 * Functions that only compute from what they are given, by dialect. A short list on purpose: whatever is not on it makes a
 * text not read-only. Left out are those that run text as SQL, read files or settings, reach the network, wait, lock, signal,
 * draw from sequences, or change anything.
 */

import type { SqlDialect } from '../../model/argument-kind.ts';

const words = (text: string): readonly string[] => text.split(' ');

/** Of every dialect, or unknown to it and therefore harmless. */
const COMMON = words(
  'abs acos asin atan atan2 avg ceil ceiling char_length character_length coalesce concat concat_ws corr cos count covar_pop ' +
    'covar_samp cume_dist current_date current_time current_timestamp date dense_rank exp extract first_value floor greatest ' +
    'if ifnull initcap lag last_value lead least left length ln localtime localtimestamp log log10 log2 lower lpad ltrim max ' +
    'md5 min mod nth_value ntile nullif octet_length percent_rank pi position pow power radians rank replace reverse right ' +
    'round row_number rpad rtrim sign sin split_part sqrt stddev stddev_pop stddev_samp substr substring sum tan trim trunc ' +
    'upper var_pop var_samp variance cast',
);

const POSTGRES = words(
  'age array_agg array_append array_cat array_length array_lower array_position array_positions array_prepend array_remove ' +
    'array_replace array_to_json array_to_string array_upper ascii bit_and bit_length bit_or bool_and bool_or btrim cardinality ' +
    'cbrt chr date_bin date_part date_trunc degrees div encode decode every format gcd generate_series generate_subscripts ' +
    'isfinite json_agg json_array_elements json_array_elements_text json_array_length json_build_array json_build_object ' +
    'json_each json_each_text json_extract_path json_extract_path_text json_object_agg json_object_keys json_typeof jsonb_agg ' +
    'jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each ' +
    'jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_object_agg jsonb_object_keys jsonb_path_exists ' +
    'jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set jsonb_strip_nulls jsonb_typeof ' +
    'justify_days justify_hours justify_interval lcm like_escape make_date make_interval make_time make_timestamp ' +
    'make_timestamptz mode now overlaps overlay percentile_cont percentile_disc quote_ident quote_literal quote_nullable ' +
    'regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array ' +
    'regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope row_to_json sha256 ' +
    'similar_to_escape starts_with string_agg string_to_array string_to_table strpos timezone to_char to_date to_json to_jsonb ' +
    'to_number to_timestamp to_tsquery to_tsvector plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd ' +
    'ts_headline translate unnest width_bucket',
);

const POSTGRES_SAMPLES = ['tablesample bernoulli', 'tablesample system'];

const OTHERS: Readonly<Record<Exclude<SqlDialect, 'postgres'>, readonly string[]>> = {
  mysql: words(
    'adddate addtime bit_and bit_or conv convert_tz curdate curtime date_add date_format date_sub datediff day dayname ' +
      'dayofmonth dayofweek dayofyear field find_in_set from_unixtime group_concat hex hour instr json_arrayagg json_contains ' +
      'json_extract json_keys json_length json_objectagg json_unquote lcase last_day locate mid minute month monthname now ' +
      'quarter regexp_like regexp_replace regexp_substr second std str_to_date subdate substring_index time timediff ' +
      'timestampdiff to_days ucase unix_timestamp utc_date utc_timestamp week weekday year yearweek',
  ),
  mariadb: words(
    'adddate addtime bit_and bit_or conv convert_tz curdate curtime date_add date_format date_sub datediff day dayname ' +
      'dayofmonth dayofweek dayofyear field find_in_set from_unixtime group_concat hex hour instr json_arrayagg json_contains ' +
      'json_extract json_keys json_length json_objectagg json_unquote lcase last_day locate mid minute month monthname now ' +
      'quarter regexp_replace regexp_substr second std str_to_date subdate substring_index time timediff timestampdiff to_days ' +
      'ucase unix_timestamp utc_date utc_timestamp week weekday year yearweek',
  ),
  sqlite: words(
    'char datetime glob group_concat hex instr iif json json_array json_array_length json_each json_extract ' +
      'json_group_array json_group_object json_object json_tree json_type julianday like printf quote strftime time total ' +
      'typeof unicode unixepoch',
  ),
  bigquery: words(
    'any_value approx_count_distinct approx_quantiles approx_top_count array_agg array_concat array_length array_to_string ' +
      'countif current_datetime date_add date_diff date_sub date_trunc datetime datetime_add datetime_diff datetime_sub ' +
      'datetime_trunc div ends_with farm_fingerprint format format_date format_datetime format_timestamp generate_array ' +
      'generate_date_array json_extract json_extract_scalar json_query json_value logical_and logical_or parse_date ' +
      'parse_datetime parse_timestamp regexp_contains regexp_extract regexp_replace safe_cast safe_divide sha256 split ' +
      'starts_with string_agg strpos time timestamp timestamp_add timestamp_diff timestamp_millis timestamp_seconds ' +
      'timestamp_sub timestamp_trunc to_json_string unix_seconds unnest',
  ),
  snowflake: words(
    'any_value approx_count_distinct array_agg array_contains array_size array_to_string boolor_agg booland_agg charindex ' +
      'contains count_if dateadd datediff date_part date_trunc day dayname dayofweek dayofyear decode div0 endswith hour iff ' +
      'last_day listagg median minute month monthname nvl nvl2 object_construct parse_json quarter regexp_like regexp_replace ' +
      'regexp_substr second split startswith strtok time timeadd timediff timestampadd timestampdiff to_char to_date to_decimal ' +
      'to_number to_timestamp to_varchar try_cast try_parse_json try_to_date try_to_number week year zeroifnull',
  ),
};

export function pureFunctions(dialect: SqlDialect): ReadonlySet<string> {
  return dialect === 'postgres'
    ? new Set([...COMMON, ...POSTGRES, ...POSTGRES_SAMPLES])
    : new Set([...COMMON, ...OTHERS[dialect]]);
}
