//! The set-up: access, file format, stage, table, loading, view, queries; in this order, each step
//! made if it is missing and set again if it differs.

use super::quote::{comment, literal};
use super::view::{self, METADATA};
use super::{Plan, Store, policy, queries};
use crate::event::fields::FIELDS;
use crate::spool::manifest::{Compression, Format};

/// The script.
pub(super) fn script(plan: &Plan<'_>) -> String {
    let o = plan.options;
    let steps = [
        comment(&head(plan)),
        integration(plan),
        access(plan),
        place(plan),
        file_format(plan),
        stage(plan),
        table(plan),
        if o.pipe { pipe(plan) } else { load(plan) },
        typed_view(plan),
        queries::all(plan),
    ];
    steps.join("\n")
}

fn head(plan: &Plan<'_>) -> String {
    let form = plan.target.form;
    format!(
        "Loads the event objects of xml-stream-aggregator into Snowflake.\n\
         Objects: {url}{dates}*.{extension}, compression {compression}, in {store}.\n\
         Rejected pieces are under {quarantine} and are never loaded.\n\
         May be run again: nothing that exists is replaced but the view.\n{todo}\
         The guide is docs/snowflake.md. What only a real account can prove: docs/snowflake-smoke.sql.",
        url = plan.url(),
        dates = if form.date_folders { "YYYY/MM/DD/" } else { "" },
        extension = plan.target.extension(),
        compression = compression(form.compression),
        store = plan.target.store,
        quarantine = plan.target.quarantine_prefix,
        todo = placeholder(plan),
    )
}

const fn compression(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    }
}

/// What must be filled in before the script can run.
fn placeholder(plan: &Plan<'_>) -> &'static str {
    let o = plan.options;
    match plan.target.store {
        Store::S3 if o.aws_role_arn == super::ARN_PLACEHOLDER => {
            "TO DO FIRST: name the AWS role with --aws-role-arn, or write the account id for <AWS_ACCOUNT_ID>.\n"
        }
        Store::Azure { .. } if o.azure_tenant_id == super::TENANT_PLACEHOLDER => {
            "TO DO FIRST: name the tenant with --azure-tenant-id, or write it for <AZURE_TENANT_ID>.\n"
        }
        _ => "",
    }
}

fn integration(plan: &Plan<'_>) -> String {
    let (provider, settings) = provider(plan);
    let name = &plan.integration;
    let locations = format!("    STORAGE_ALLOWED_LOCATIONS = ({})", locations(plan));
    format!(
        "{}USE ROLE {};\n\n\
         CREATE STORAGE INTEGRATION IF NOT EXISTS {name}\n    TYPE = EXTERNAL_STAGE\n    \
         STORAGE_PROVIDER = '{provider}'\n    ENABLED = TRUE\n{settings}{locations};\n\n\
         ALTER STORAGE INTEGRATION {name} SET\n    ENABLED = TRUE\n{settings}{locations};\n\n\
         GRANT USAGE ON INTEGRATION {name} TO ROLE {};\n",
        comment(
            "---- 1. Access to the store, without keys. It belongs to the account, not to a database, and\n\
             allows what is listed here and nothing else: use it for nothing else.",
        ),
        plan.options.admin_role,
        plan.options.role,
    )
}

fn provider(plan: &Plan<'_>) -> (&'static str, String) {
    let o = plan.options;
    match plan.target.store {
        Store::Gcs => ("GCS", String::new()),
        Store::Azure { .. } => {
            ("AZURE", format!("    AZURE_TENANT_ID = {}\n", literal(&o.azure_tenant_id)))
        }
        Store::S3 | Store::Local => (
            match plan.partition() {
                "aws-us-gov" => "S3GOV",
                "aws-cn" => "S3CHINA",
                _ => "S3",
            },
            format!(
                "    STORAGE_AWS_ROLE_ARN = {}\n    STORAGE_AWS_EXTERNAL_ID = {}\n",
                literal(&o.aws_role_arn),
                literal(&plan.external_id)
            ),
        ),
    }
}

fn locations(plan: &Plan<'_>) -> String {
    let all = std::iter::once(plan.url()).chain(plan.manifest_url());
    all.map(|url| literal(&url)).collect::<Vec<_>>().join(", ")
}

/// What to do in the cloud, between two runs of the script.
fn access(plan: &Plan<'_>) -> String {
    let steps = match plan.target.store {
        Store::Gcs => "Now give the service account from the answer (STORAGE_GCP_SERVICE_ACCOUNT) the permissions\n\
             storage.objects.get, storage.objects.list and storage.buckets.get on the bucket."
            .to_owned(),
        Store::Azure { .. } => "Now open AZURE_CONSENT_URL from the answer once, and give AZURE_MULTI_TENANT_APP_NAME\n\
             the role Storage Blob Data Reader on the storage account."
            .to_owned(),
        Store::S3 | Store::Local => aws_steps(plan),
    };
    format!("DESC INTEGRATION {};\n\n{}", plan.integration, comment(&steps))
}

fn aws_steps(plan: &Plan<'_>) -> String {
    format!(
        "Now, once, in AWS (also printed by --aws-policy=permissions and --aws-policy=trust):\n\
         a) make the role {arn} with this permission policy\n\
         (and kms:Decrypt on the key, where the bucket is encrypted with SSE-KMS):\n\
         {permissions}\
         b) and this trust policy; the user is STORAGE_AWS_IAM_USER_ARN of the answer above:\n\
         {trust}\
         Until that is done, the statements that read the store fail; then run the script again.",
        arn = plan.options.aws_role_arn,
        permissions = policy::text(&policy::permissions(plan)),
        trust = policy::text(&policy::trust(plan)),
    )
}

fn place(plan: &Plan<'_>) -> String {
    let o = plan.options;
    let warehouse = match &o.warehouse {
        Some(name) => format!("USE WAREHOUSE {name};\n"),
        None => comment("No --warehouse was given: the user's default warehouse does the work."),
    };
    format!(
        "{}USE ROLE {};\n{warehouse}\
         CREATE DATABASE IF NOT EXISTS {};\nUSE DATABASE {};\n\
         CREATE SCHEMA IF NOT EXISTS {};\nUSE SCHEMA {};\n",
        comment(
            "---- 2. The place. Where both exist and the role may not make any, leave the two CREATE out."
        ),
        o.role,
        o.database,
        o.database,
        o.schema,
        o.schema,
    )
}

/// The file format's options, apart from its type.
fn format_options(format: Format) -> &'static str {
    match format {
        Format::Xml => {
            "COMPRESSION = AUTO STRIP_OUTER_ELEMENT = TRUE DISABLE_AUTO_CONVERT = TRUE PRESERVE_SPACE = FALSE"
        }
        Format::Json => "COMPRESSION = AUTO STRIP_OUTER_ARRAY = TRUE",
        Format::Ndjson => "COMPRESSION = AUTO STRIP_OUTER_ARRAY = FALSE",
        Format::Parquet => "COMPRESSION = AUTO USE_VECTORIZED_SCANNER = TRUE",
    }
}

fn format_facts(format: Format) -> &'static str {
    match format {
        Format::Xml => {
            "STRIP_OUTER_ELEMENT: a row per event. DISABLE_AUTO_CONVERT: text stays text, or a card\n\
             number 12E5 would become 1200000 and 1.50 become 1.5."
        }
        Format::Json => "STRIP_OUTER_ARRAY: a row per event, not one row per object.",
        Format::Ndjson => "A line is an event. AUTO reads plain, gzip and zstd alike.",
        Format::Parquet => "Compressed inside the file, which AUTO reads; ZSTD is not valid here.",
    }
}

fn file_format(plan: &Plan<'_>) -> String {
    let format = plan.target.form.format;
    let mut out = comment(&format!("---- 3. The file format.\n{}", format_facts(format)));
    let kind =
        if format == Format::Ndjson { "JSON" } else { &plan.target.extension().to_uppercase() };
    out += &one_format(&plan.file_format.to_string(), kind, format_options(format));
    if plan.target.form.manifest_object {
        out += &one_format(&plan.manifest_format.to_string(), "JSON", "COMPRESSION = AUTO");
    }
    out
}

fn one_format(name: &str, kind: &str, options: &str) -> String {
    format!(
        "CREATE FILE FORMAT IF NOT EXISTS {name} TYPE = {kind} {options};\n\
         ALTER FILE FORMAT {name} SET {options};\n"
    )
}

fn stage(plan: &Plan<'_>) -> String {
    let mut out = comment(
        "---- 4. The stage. Its URL ends in '/', or a neighbour whose name begins alike would load too.",
    );
    out += &one_stage(&plan.stage.to_string(), &plan.url(), plan);
    if let Some(url) = plan.manifest_url() {
        out += &one_stage(&plan.manifest_stage.to_string(), &url, plan);
    }
    out
}

fn one_stage(name: &str, url: &str, plan: &Plan<'_>) -> String {
    let settings = format!("URL = {} STORAGE_INTEGRATION = {}", literal(url), plan.integration);
    format!("CREATE STAGE IF NOT EXISTS {name} {settings};\nALTER STAGE {name} SET {settings};\n")
}

fn table(plan: &Plan<'_>) -> String {
    let columns: Vec<String> = event_columns(plan.target.form.format)
        .into_iter()
        .chain(METADATA.iter().map(|(name, kind, _)| format!("    {name} {kind}")))
        .collect();
    let evolution = plan.target.form.format == Format::Parquet;
    format!(
        "{}CREATE TABLE IF NOT EXISTS {} (\n{}\n){};\n{}",
        comment(
            "---- 5. The table. It remembers 64 days which objects it has loaded: never replace it."
        ),
        plan.table,
        columns.join(",\n"),
        if evolution { " ENABLE_SCHEMA_EVOLUTION = TRUE" } else { "" },
        if evolution {
            format!("ALTER TABLE {} SET ENABLE_SCHEMA_EVOLUTION = TRUE;\n", plan.table)
        } else {
            String::new()
        },
    )
}

fn event_columns(format: Format) -> Vec<String> {
    if format != Format::Parquet {
        return vec!["    event_data VARIANT".to_owned()];
    }
    let names = FIELDS.iter().map(|f| f.name).chain(["_extra"]);
    names.map(|name| format!("    {name} VARCHAR")).collect()
}

/// The COPY itself, without its semicolon: alone, and inside the pipe.
fn copy(plan: &Plan<'_>) -> String {
    let tail = format!(
        "FILE_FORMAT = (FORMAT_NAME = {})\nPATTERN = {}\nON_ERROR = SKIP_FILE",
        plan.file_format.as_literal(),
        literal(&plan.target.pattern())
    );
    if plan.target.form.format == Format::Parquet {
        let metadata: Vec<_> =
            METADATA.iter().map(|(name, _, from)| format!("{name} = {from}")).collect();
        return format!(
            "COPY INTO {}\nFROM @{}\nMATCH_BY_COLUMN_NAME = CASE_INSENSITIVE\n\
             INCLUDE_METADATA = ({})\n{tail}",
            plan.table,
            plan.stage,
            metadata.join(", ")
        );
    }
    let from: Vec<_> = METADATA.iter().map(|(.., from)| *from).collect();
    format!(
        "COPY INTO {} (event_data, {})\nFROM (\n    SELECT $1, {}\n    FROM @{}\n)\n{tail}",
        plan.table,
        view::metadata_columns(),
        from.join(", "),
        plan.stage
    )
}

fn load(plan: &Plan<'_>) -> String {
    let mut facts = "---- 6. Loading. Run this as often as you like, from a task for instance: an object is\n\
         loaded once. A bad one is skipped as a whole and shows in the last query below.\n\
         Never PURGE: the listener may still ask for an object that was stored a moment ago.\n\
         Either this or Snowpipe (--pipe), never both on one prefix: neither knows what the other loaded."
        .to_owned();
    if plan.target.form.date_folders {
        facts += &format!(
            "\nOne day only: FROM @{}/2026/01/31/ instead of the whole stage.",
            plan.stage
        );
    }
    format!("{}{};\n", comment(&facts), copy(plan))
}

fn pipe(plan: &Plan<'_>) -> String {
    let facts = comment(
        "---- 6. Loading by Snowpipe. Either this or COPY INTO, never both on one prefix, and one\n\
         pipe per prefix: they do not know what the other loaded. A pipe remembers 14 days, by path.\n\
         An existing pipe keeps its statement. To change it: ALTER PIPE … SET PIPE_EXECUTION_PAUSED =\n\
         TRUE, wait until pendingFileCount below is 0, DROP PIPE, then run this script again.",
    );
    let steps = comment(&notification(plan));
    let create = create_pipe(plan);
    match plan.target.store {
        // The queue's name is an answer of the pipe's.
        Store::S3 | Store::Local => format!("{facts}{create}\n{steps}{}", pipe_status(plan)),
        _ => format!("{facts}{steps}{create}\n{}", pipe_status(plan)),
    }
}

fn create_pipe(plan: &Plan<'_>) -> String {
    format!(
        "CREATE PIPE IF NOT EXISTS {}\n    AUTO_INGEST = TRUE\n{}AS\n{};\n\nSHOW PIPES LIKE {};\n",
        plan.pipe,
        pipe_integration(plan),
        copy(plan),
        literal(&plan.pipe.stored()),
    )
}

fn pipe_status(plan: &Plan<'_>) -> String {
    format!(
        "{}SELECT SYSTEM$PIPE_STATUS({});\n",
        comment(&format!(
            "Then load what is there already (of the last 7 days): ALTER PIPE {} REFRESH;",
            plan.pipe
        )),
        plan.pipe.as_literal()
    )
}

fn pipe_integration(plan: &Plan<'_>) -> String {
    match plan.target.store {
        Store::S3 | Store::Local => String::new(),
        _ => format!(
            "    INTEGRATION = {}\n",
            literal(&plan.options.notification_integration.stored())
        ),
    }
}

fn notification(plan: &Plan<'_>) -> String {
    let prefix = &plan.target.prefix;
    let bucket = &plan.target.bucket;
    match plan.target.store {
        Store::S3 | Store::Local => format!(
            "Now, once, in AWS: bucket {bucket}, Properties, Event notifications, Create:\n\
             prefix {prefix}, event types: all object create events, destination: SQS queue, by ARN:\n\
             the notification_channel in the answer of SHOW PIPES.\n\
             (With the AWS command line, put-bucket-notification-configuration replaces all\n\
             notifications of the bucket: read the present ones first.)"
        ),
        Store::Gcs => format!(
            "Before CREATE PIPE, once: a Pub/Sub topic with the notifications of bucket {bucket} for\n\
             OBJECT_FINALIZE and prefix {prefix}, a subscription to it, and under {}:\n\
             CREATE NOTIFICATION INTEGRATION {} TYPE = QUEUE NOTIFICATION_PROVIDER = GCP_PUBSUB\n\
             ENABLED = TRUE GCP_PUBSUB_SUBSCRIPTION_NAME = '<subscription>', and USAGE on it to {}.",
            plan.options.admin_role, plan.options.notification_integration, plan.options.role
        ),
        Store::Azure { .. } => format!(
            "Before CREATE PIPE, once: an Event Grid subscription of the storage account for\n\
             Blob Created under container {bucket}, prefix {prefix}, to a storage queue, and under {}:\n\
             CREATE NOTIFICATION INTEGRATION {} TYPE = QUEUE NOTIFICATION_PROVIDER =\n\
             AZURE_STORAGE_QUEUE ENABLED = TRUE AZURE_STORAGE_QUEUE_PRIMARY_URI = '<queue URL>'\n\
             AZURE_TENANT_ID = '<tenant>', and USAGE on it to {}.",
            plan.options.admin_role, plan.options.notification_integration, plan.options.role
        ),
    }
}

fn typed_view(plan: &Plan<'_>) -> String {
    let mut facts =
        "---- 7. The typed view. NULL: empty, absent, \"never\", or not readable as its type.\n\
         An event that came twice (same gateway, cn and content) shows once."
            .to_owned();
    facts += match plan.target.form.format {
        Format::Xml => {
            "\nEvery other field: XMLGET(event_data, 'name'):\"$\"::STRING. Not event_data:name, which is\n\
             the child's position: 0, 1, 2, …"
        }
        Format::Json | Format::Ndjson => "\nEvery other field: event_data:name::STRING.",
        Format::Parquet => {
            "\nFields the vendor adds become columns of the table; what fits no column is JSON in _extra."
        }
    };
    format!("{}{}", comment(&facts), view::create(plan))
}
