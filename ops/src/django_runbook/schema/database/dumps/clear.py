"""The SQL that makes a PostgreSQL database as new, before a backup is played into it."""

#: Empties the database. What an extension brought stays, for making one may need a superuser; the
#: rows of its tables that pg_dump writes go (manual, Extension Configuration Tables).
CLEAR = """
DO $clear$
DECLARE
    item record;
    kind text;
    name text;
    filled boolean;
BEGIN
    -- What belongs to no schema. Event triggers first: they would see all that is dropped.
    FOR item IN
        SELECT classid, objid FROM (
            SELECT 1, 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
            UNION ALL SELECT 2, 'pg_publication'::regclass, oid FROM pg_publication
            UNION ALL SELECT 3, 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
            UNION ALL SELECT 4, 'pg_foreign_data_wrapper'::regclass, oid
            FROM pg_foreign_data_wrapper
            UNION ALL SELECT 5, 'pg_transform'::regclass, oid FROM pg_transform
            UNION ALL SELECT 6, 'pg_cast'::regclass, oid FROM pg_cast
            UNION ALL SELECT 7, 'pg_language'::regclass, oid FROM pg_language
            UNION ALL SELECT 8, 'pg_am'::regclass, oid FROM pg_am
        ) AS it (place, classid, objid)
        WHERE objid >= 16384  -- below are initdb's own
        AND NOT EXISTS (
            SELECT FROM pg_depend
            WHERE classid = it.classid AND objid = it.objid AND deptype = 'e'
        )
        ORDER BY place
    LOOP
        SELECT replace(type, '-', ' '), identity INTO kind, name
        FROM pg_identify_object(item.classid, item.objid, 0);
        CONTINUE WHEN name IS NULL;  -- gone with an object before it
        EXECUTE format('DROP %s %s CASCADE', kind, name);
    END LOOP;
    FOR item IN
        SELECT oid, nspname FROM pg_namespace AS it
        WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
        AND NOT EXISTS (
            SELECT FROM pg_depend
            WHERE classid = 'pg_namespace'::regclass AND objid = it.oid AND deptype = 'e'
        )
    LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', item.nspname);
    END LOOP;
    FOR item IN
        SELECT classid, objid FROM pg_depend AS it
        WHERE refclassid = 'pg_namespace'::regclass
        AND refobjid = (SELECT oid FROM pg_namespace WHERE nspname = 'public')
        AND deptype = 'n' AND classid <> 'pg_extension'::regclass
        AND NOT EXISTS (
            SELECT FROM pg_depend
            WHERE classid = it.classid AND objid = it.objid
            AND (deptype = 'e' OR deptype = 'i' AND refobjid <> objid)  -- a column's sequence
        )
        ORDER BY classid <> 'pg_class'::regclass
    LOOP
        -- Gone with an object before it?
        CONTINUE WHEN NOT EXISTS (
            SELECT FROM pg_depend WHERE classid = item.classid AND objid = item.objid
        );
        SELECT replace(type, 'statistics object', 'statistics'), identity INTO kind, name
        FROM pg_identify_object(item.classid, item.objid, 0);
        EXECUTE format('DROP %s %s CASCADE', kind, name);
    END LOOP;
    PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
    FOR item IN
        SELECT config.oid, condition
        FROM pg_extension, unnest(extconfig, extcondition) AS config (oid, condition)
        JOIN pg_class ON pg_class.oid = config.oid AND relkind IN ('r', 'p')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s %s)', item.oid::regclass, item.condition)
        INTO filled;
        IF filled THEN  -- deleting none would need the right to delete as well
            EXECUTE format('DELETE FROM %s %s', item.oid::regclass, item.condition);
        END IF;
    END LOOP;
END
$clear$;
"""

#: Puts privileges on what stays back to the server's own: pg_dump writes what differs from those.
#: Default privileges besides would count for all that is restored. May be changed by the role that
#: creates the objects (manual, ALTER DEFAULT PRIVILEGES), those of a schema by its owner.
FORGET = """
DO $forget$
DECLARE
    item record;
BEGIN
    FOR item IN
        WITH kept (verb, target, acl, own) AS (
            SELECT
                'ALTER DEFAULT PRIVILEGES FOR ROLE ' || defaclrole::regrole
                || CASE defaclnamespace WHEN 0 THEN '' ELSE ' IN SCHEMA public' END,
                CASE defaclobjtype
                    WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                    WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS'
                END,
                defaclacl,
                CASE defaclnamespace WHEN 0 THEN acldefault(
                    CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END, defaclrole
                ) END
            FROM pg_default_acl
            WHERE defaclnamespace = 0 OR defaclnamespace = to_regnamespace('public')
            UNION ALL SELECT '', 'SCHEMA public', nspacl, acldefault('n', nspowner) || ARRAY(
                SELECT acl FROM pg_init_privs, unnest(initprivs) AS acl
                WHERE classoid = 'pg_namespace'::regclass AND objoid = pg_namespace.oid
                AND acl::text LIKE '=%'  -- of PUBLIC
            )
            FROM pg_namespace
            WHERE nspname = 'public' AND nspacl IS NOT NULL AND pg_has_role(nspowner, 'USAGE')
        )
        SELECT 1 AS step, verb, 'REVOKE ALL' AS what, target, 'FROM' AS whom, grantee
        FROM kept, aclexplode(acl)
        UNION SELECT 2, verb, 'GRANT ' || privilege_type, target, 'TO', grantee
        FROM kept, aclexplode(own)
        ORDER BY step
    LOOP
        EXECUTE concat_ws(
            ' ', item.verb, item.what, 'ON', item.target, item.whom,
            CASE item.grantee WHEN 0 THEN 'PUBLIC' ELSE item.grantee::regrole::text END,
            CASE item.step WHEN 1 THEN 'CASCADE' END
        );
    END LOOP;
END
$forget$;
"""
