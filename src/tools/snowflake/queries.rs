//! Ready-made queries, printed behind the set-up: what people ask first, and what proves that
//! everything arrived.

use super::Plan;
use super::quote::{comment, literal};

/// The manifest object's field that names its data object.
const MANIFEST_OBJECT: &str = "object";
/// The manifest object's field with the number of events in it.
const MANIFEST_EVENTS: &str = "event_count";

/// All of them.
pub(super) fn all(plan: &Plan<'_>) -> String {
    let parts = [
        comment(
            "---- Queries. Each stands alone; the view's columns are the vendor's names without plasectrx.",
        ),
        alarms(plan),
        doors(plan),
        silent(plan),
        totals(plan),
        unloaded(plan),
        manifests(plan),
        history(plan),
    ];
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("\n")
}

fn alarms(plan: &Plan<'_>) -> String {
    format!(
        "{}SELECT paneldateutc, eventname, panelname, sourcename, sourcelocation, pri\n\
         FROM {}\n\
         WHERE isalarm AND paneldateutc >= DATEADD('hour', -24, CURRENT_TIMESTAMP())\n\
         ORDER BY paneldateutc DESC;\n",
        comment("Alarms in the last day, newest first."),
        plan.view
    )
}

fn doors(plan: &Plan<'_>) -> String {
    format!(
        "{}SELECT NVL(sourcealtname, sourcename) AS door, sourcelocation, eventname,\n    \
         COUNT(*) AS events, MIN(paneldateutc) AS first_seen, MAX(paneldateutc) AS last_seen\n\
         FROM {}\n\
         WHERE embossedno = '00012345'\n    \
         AND paneldateutc >= DATEADD('day', -30, CURRENT_TIMESTAMP())\n\
         GROUP BY door, sourcelocation, eventname\n\
         ORDER BY last_seen DESC;\n",
        comment(
            "One person's doors in the last 30 days, by the number printed on the card.\n\
             It is text: leading zeros count. Or by person: WHERE identitydn = '…'."
        ),
        plan.view
    )
}

fn silent(plan: &Plan<'_>) -> String {
    format!(
        "{}SELECT gatewaydn, panelname, MAX(paneldateutc) AS last_event,\n    \
         DATEDIFF('hour', MAX(paneldateutc), CURRENT_TIMESTAMP()) AS hours_silent\n\
         FROM {}\n\
         WHERE paneldateutc >= DATEADD('day', -30, CURRENT_TIMESTAMP())\n\
         GROUP BY gatewaydn, panelname\n\
         HAVING MAX(paneldateutc) < DATEADD('hour', -24, CURRENT_TIMESTAMP())\n\
         ORDER BY last_event;\n",
        comment("Panels gone silent: heard in the last 30 days, but not in the last 24 hours."),
        plan.view
    )
}

fn totals(plan: &Plan<'_>) -> String {
    format!(
        "{}SELECT COUNT(*) AS rows_loaded, COUNT(DISTINCT file_name) AS objects_loaded,\n    \
         (SELECT COUNT(*) FROM {}) AS events_without_repeats, MAX(loaded_at) AS last_load\n\
         FROM {};\n",
        comment(
            "Reconciliation 1: rows_loaded against the events that `xml-stream-aggregator ledger`\n\
             calls delivered. The difference is in the objects of the next query."
        ),
        plan.view,
        plan.table
    )
}

fn unloaded(plan: &Plan<'_>) -> String {
    format!(
        "{}LIST @{} PATTERN = {};\n\n\
         SELECT l.\"name\" AS object, l.\"size\" AS bytes, l.\"last_modified\" AS stored\n\
         FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) l\n\
         LEFT JOIN (SELECT DISTINCT {} AS name FROM {}) t ON t.name = {}\n\
         WHERE t.name IS NULL\n\
         ORDER BY object;\n",
        comment(
            "Reconciliation 2: objects in the store with no row in the table (run both together).\n\
             Empty: all are loaded. An object's name without its folders is unique in the prefix."
        ),
        plan.stage,
        literal(&plan.target.pattern()),
        last_part("file_name"),
        plan.table,
        last_part("l.\"name\""),
    )
}

fn manifests(plan: &Plan<'_>) -> String {
    if !plan.target.form.manifest_object {
        return String::new();
    }
    format!(
        "{}WITH told AS (\n    \
         SELECT $1:{MANIFEST_OBJECT}::STRING AS object, $1:{MANIFEST_EVENTS}::NUMBER AS events\n    \
         FROM @{} (FILE_FORMAT => {})\n),\n\
         loaded AS (\n    SELECT {} AS name, COUNT(*) AS events FROM {} GROUP BY 1\n)\n\
         SELECT told.object, told.events AS events_delivered, NVL(loaded.events, 0) AS rows_loaded\n\
         FROM told\n\
         LEFT JOIN loaded ON loaded.name = {}\n\
         WHERE told.events <> NVL(loaded.events, 0)\n\
         ORDER BY told.object;\n",
        comment(
            "Reconciliation 3: objects whose manifest tells another number of events than the\n\
             table has rows of it. Empty: every event delivered is in the table, once."
        ),
        plan.manifest_stage,
        plan.manifest_format.as_literal(),
        last_part("file_name"),
        plan.table,
        last_part("told.object"),
    )
}

fn history(plan: &Plan<'_>) -> String {
    format!(
        "{}SELECT file_name, last_load_time, status, row_count, error_count, first_error_message\n\
         FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(\n    \
         TABLE_NAME => {}, START_TIME => DATEADD('day', -14, CURRENT_TIMESTAMP())\n))\n\
         WHERE status <> 'Loaded'\n\
         ORDER BY last_load_time DESC;\n",
        comment("Loads that went wrong in the last 14 days: empty is good."),
        plan.table.as_literal()
    )
}

fn last_part(path: &str) -> String {
    format!("REGEXP_SUBSTR({path}, '[^/]+$')")
}
