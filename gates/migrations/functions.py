"""PostgreSQL's functions that only compute a value, by name. What a function that is not here does, nobody knows.

Left out on purpose: those that run a text as SQL (query_to_xml, ts_stat, ts_rewrite) or act on the server (pg_*, lo_*).
"""

# Of one value for the whole statement: immutable or stable (pg_proc.provolatile), so that a new column's default writes
# no row again.
STEADY = (
    frozenset("""
    abs acos age array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position
    array_positions array_prepend array_remove array_replace array_to_json array_to_string array_to_tsvector
    array_upper ascii asin atan atan2 bit_length btrim cardinality cbrt ceil ceiling char_length character_length
    chr col_description concat concat_ws convert convert_from convert_to cos cot current_database current_schema
    current_schemas current_setting date date_bin date_part date_trunc daterange decode degrees div encode
    enum_first enum_last enum_range exp extract factorial floor format format_type gcd generate_series
    generate_subscripts get_bit get_byte host initcap int4range int8range isempty isfinite json_array_elements
    json_array_elements_text json_array_length json_build_array json_build_object json_each json_each_text
    json_extract_path json_extract_path_text json_object json_object_keys json_populate_record
    json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_typeof jsonb_array_elements
    jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
    jsonb_exists jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys
    jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first
    jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls
    jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lcm left length ln
    log log10 lower lower_inc lower_inf lpad ltrim make_date make_interval make_time make_timestamp make_timestamptz
    masklen md5 mod netmask normalize now num_nonnulls num_nulls numnode numrange obj_description octet_length
    parse_ident phraseto_tsquery pi plainto_tsquery position pow power quote_ident quote_literal quote_nullable
    radians regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array
    regexp_split_to_table regexp_substr repeat replace reverse right round row_to_json rpad rtrim scale setweight
    sha224 sha256 sha384 sha512 sign sin split_part sqrt starts_with statement_timestamp string_to_array
    string_to_table strip strpos substr substring tan text timezone to_ascii to_char to_date to_hex to_json to_jsonb
    to_number to_regclass to_regnamespace to_regproc to_regprocedure to_regtype to_timestamp to_tsquery to_tsvector
    transaction_timestamp translate trunc ts_headline ts_rank ts_rank_cd tsrange tstzrange unistr unnest upper
    upper_inc upper_inf version websearch_to_tsquery width_bucket xpath has_column_privilege has_database_privilege
    has_function_privilege has_schema_privilege has_sequence_privilege has_table_privilege has_type_privilege
    pg_encoding_to_char pg_function_is_visible pg_get_constraintdef pg_get_expr pg_get_function_identity_arguments
    pg_get_functiondef pg_get_indexdef pg_get_serial_sequence pg_get_triggerdef pg_get_userbyid pg_get_viewdef
    pg_has_role pg_index_column_has_property pg_size_pretty pg_table_is_visible pg_type_is_visible pg_typeof int2
    int4 int8 float4 float8 bool bpchar name timestamptz uuid crypt digest hmac st_asgeojson st_geogfromtext
    st_geomfromgeojson st_geomfromtext st_makepoint st_setsrid st_transform st_x st_y similarity unaccent
    """.split())
    | frozenset("""
    array_agg avg bit_and bit_or bool_and bool_or corr count cume_dist dense_rank every first_value json_agg
    json_object_agg jsonb_agg jsonb_object_agg lag last_value lead max min mode nth_value ntile percent_rank
    percentile_cont percentile_disc rank row_number stddev stddev_pop stddev_samp string_agg sum var_pop var_samp
    variance xmlagg
    """.split())
)
# Of another value in each row.
UNIQUE = frozenset("gen_random_uuid nextval uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuidv4 uuidv7".split())
VOLATILE = UNIQUE | frozenset("""
    clock_timestamp currval gen_random_bytes gen_salt lastval pg_advisory_unlock pg_backend_pid pg_relation_size
    pg_table_size pg_total_relation_size random setval timeofday
    """.split())
# They wait for whoever holds the same lock, and make others wait.
LOCKS = frozenset("""
    pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared
    """.split())
SETS = "set_config"
KNOWN = STEADY | VOLATILE | LOCKS | {SETS}

# Words of the grammar that a bracket may follow: no calls. A few could be a function's name, too: see NAMES.
GRAMMAR = frozenset("""
    ALL AND ANY ARRAY AS ASYMMETRIC BETWEEN BIT BY CASE CAST CHAR CHARACTER CHECK COALESCE CONFLICT CUBE
    CURRENT_TIME CURRENT_TIMESTAMP DEC DECIMAL DEFAULT DISTINCT ELSE ESCAPE EXCEPT EXISTS EXTRACT FILTER FLOAT FOR
    FROM GREATEST GROUP GROUPING HAVING ILIKE IN INTERSECT INTERVAL IS JOIN LATERAL LEAST LIKE LIMIT LOCALTIME
    LOCALTIMESTAMP MATERIALIZED NCHAR NORMALIZE NOT NULLIF NUMERIC OFFSET ON ONLY OPERATOR OR OVER OVERLAPS OVERLAY
    POSITION PRECISION RETURNING ROLLUP ROW ROWS SELECT SET SETS SIMILAR SOME SUBSTRING SYMMETRIC THEN TIME
    TIMESTAMP TO TREAT TRIM UNION USING VALUES VARCHAR VARYING WHEN WHERE WINDOW WITH XMLELEMENT XMLFOREST ZONE
    """.split())
# Whoever makes a function of such a name makes what is said here untrue.
NAMES = KNOWN | {word.lower() for word in GRAMMAR}
