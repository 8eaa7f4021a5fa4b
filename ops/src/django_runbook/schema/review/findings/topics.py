"""What each kind of finding claims, so that a rehearsal can show it or disprove it."""

#: "All rows are read or rewritten under a lock": names of the rules, and of squawk's.
LONG = frozenset(
    {
        "add-check",
        "add-exclusion",
        "add-foreign-key",
        "add-generated-column",
        "add-index",
        "add-primary-key",
        "add-unique",
        "add-volatile-default",
        "adding-field-with-default",
        "adding-foreign-key-constraint",
        "adding-not-nullable-field",
        "adding-serial-primary-key-field",
        "change-type",
        "changing-column-type",
        "constraint-missing-not-valid",
        "disallowed-unique-constraint",
        "require-concurrent-index-creation",
        "rewrites-table",
        "scans-table",
        "set-not-null",
        "validate-with-add",
    }
)
#: "Many rows are changed at once."
CHANGING = frozenset(
    {
        "changes-every-row",
        "changes-many-rows",
        "changes-whole-table",
        "loads-whole-table",
        "saves-row-by-row",
    }
)
#: "Rows, or the transaction, may make it fail."
FAILING = frozenset(
    {
        "add-check",
        "add-exclusion",
        "add-foreign-key",
        "add-unique",
        "adding-foreign-key-constraint",
        "adding-not-nullable-field",
        "adding-required-field",
        "ban-concurrent-index-creation-in-transaction",
        "broken-state",
        "change-type",
        "changing-column-type",
        "concurrently-in-transaction",
        "constraint-missing-not-valid",
        "disallowed-unique-constraint",
        "mixed-data-and-schema",
        "set-not-null",
        "unique-default",
        "validate-with-add",
    }
)
#: Nothing but time makes these a risk: on a table of a few rows there is none.
TIME_ALONE = (LONG - FAILING) | CHANGING
