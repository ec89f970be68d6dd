//! `--drop`: takes away what the script made, in the order that leaves nothing running. The table
//! goes with `--drop-data` only; database, schema and the objects in the store stay.

use super::quote::comment;
use super::{Plan, Store};

/// The script.
pub(super) fn script(plan: &Plan<'_>) -> String {
    let o = plan.options;
    let mut out = comment(&head(plan));
    out += &format!(
        "\nUSE ROLE {};\nUSE DATABASE {};\nUSE SCHEMA {};\n\n",
        o.role, o.database, o.schema
    );
    out += &format!("DROP PIPE IF EXISTS {};\n", plan.pipe);
    out += &format!("DROP VIEW IF EXISTS {};\n", plan.view);
    out += &table(plan);
    out += &format!("DROP STAGE IF EXISTS {};\n", plan.stage);
    out += &format!("DROP STAGE IF EXISTS {};\n", plan.manifest_stage);
    out += &format!("DROP FILE FORMAT IF EXISTS {};\n", plan.file_format);
    out += &format!("DROP FILE FORMAT IF EXISTS {};\n", plan.manifest_format);
    out += &format!("\nUSE ROLE {};\n", o.admin_role);
    out += &format!("DROP INTEGRATION IF EXISTS {};\n", plan.integration);
    out
}

fn table(plan: &Plan<'_>) -> String {
    if plan.options.drop_data {
        return format!("DROP TABLE IF EXISTS {};\n", plan.table);
    }
    comment(&format!("Kept, with all rows and its load history: table {}.", plan.table))
}

fn head(plan: &Plan<'_>) -> String {
    let outside = match plan.target.store {
        Store::S3 => {
            "In AWS remain: the role with its policies, and the bucket's event notification\n\
             (remove it, or it goes on to a queue that nobody reads)."
        }
        _ => "In the cloud remain: the access granted to Snowflake, and a notification, if any.",
    };
    format!(
        "Takes away what `xml-stream-aggregator snowflake` set up for {}.\n\
         Stays: database, schema and every object in the store.\n{outside}\n\
         Tables of other formats on this prefix use the same integration: leave its DROP out for them.",
        plan.url()
    )
}
