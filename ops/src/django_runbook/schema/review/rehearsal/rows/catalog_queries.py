"""PostgreSQL's own catalogue: the queries for the tables that are seen without a schema."""

VISIBLE = """
    c.relkind IN ('r', 'p') AND NOT c.relispartition AND pg_table_is_visible(c.oid)
    AND c.relnamespace <> 'pg_catalog'::regnamespace AND c.relpersistence <> 't'
"""
COLUMNS = f"""
    SELECT c.relname, a.attname,
           CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod)
                          ELSE format_type(a.atttypid, a.atttypmod) END,
           NOT a.attnotnull AND NOT t.typnotnull,
           a.attidentity <> '' OR a.attgenerated <> ''
               OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%%', false),
           ARRAY(SELECT enumlabel::text FROM pg_enum e
                 WHERE e.enumtypid = a.atttypid ORDER BY enumsortorder)
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE {VISIBLE} AND %s = '' ORDER BY c.relname, a.attnum
"""
UNIQUES = f"""
    SELECT c.relname, ARRAY(SELECT a.attname::text FROM pg_attribute a
                            WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey))
    FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique WHERE {VISIBLE}
"""
FOREIGN = f"""
    SELECT c.relname, a.attname, p.relname, b.attname
    FROM pg_class c
    JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f'
    JOIN pg_class p ON p.oid = k.confrelid
    CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS pair(own, theirs)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = pair.own
    JOIN pg_attribute b ON b.attrelid = p.oid AND b.attnum = pair.theirs
    WHERE {VISIBLE}
"""
CHECKS = f"""
    SELECT c.relname, pg_get_expr(k.conbin, k.conrelid)
    FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'c' WHERE {VISIBLE}
"""
