//! `snowflake`: one commented SQL script that loads what this configuration writes, may be run
//! again at any time, and can take everything away again.
//!
//! Trusted: nothing typed. Every name and text goes through [`quote`], so no option can add a
//! statement. Replaced are views only: replacing a table loses its load history, a pipe its queue,
//! an integration its external id. Refused: a destination that Snowflake cannot read.
//!
//! The script is a plain function of options and target: same input, same text.

pub mod quote;

mod policy;
mod queries;
mod setup;
mod target;
mod teardown;
mod view;

pub use quote::Name;
pub use target::{Refused, Store, Target};

use crate::base::checksum::Checksum;
use std::process::ExitCode;

/// Stands where the customer's own AWS account belongs; Snowflake refuses it.
const ARN_PLACEHOLDER: &str = "arn:aws:iam::<AWS_ACCOUNT_ID>:role/xml-stream-aggregator-snowflake";

/// Stands where the customer's own Azure tenant belongs; Snowflake refuses it.
const TENANT_PLACEHOLDER: &str = "<AZURE_TENANT_ID>";

/// Print a SQL script that loads the event objects of this configuration into Snowflake.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What the script is to hold.
    #[command(flatten)]
    pub options: ScriptOptions,
    /// Print the AWS policies as JSON instead: `trust`, `permissions`, or both in one object.
    #[arg(long, value_enum, value_name = "WHICH", num_args = 0..=1, require_equals = true,
          default_missing_value = "both", conflicts_with_all = ["drop", "pipe"])]
    pub aws_policy: Option<WhichPolicy>,
}

/// Which policy `--aws-policy` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum WhichPolicy {
    /// Who may take the role: Snowflake's user with our external id.
    Trust,
    /// What the role may do: read the event objects.
    Permissions,
    /// Both, as `{"trust": …, "permissions": …}`.
    Both,
}

/// What the script is to hold.
#[derive(Debug, Clone, clap::Args)]
pub struct ScriptOptions {
    /// Database; made if it does not exist.
    #[arg(long, default_value = "XML_EVENTS", value_parser = Name::new)]
    pub database: Name,
    /// Schema in it; made if it does not exist.
    #[arg(long, default_value = "ACM", value_parser = Name::new)]
    pub schema: Name,
    /// Warehouse for COPY INTO and the queries [default: the user's own].
    #[arg(long, value_parser = Name::new)]
    pub warehouse: Option<Name>,
    /// Role that owns everything but the integration.
    #[arg(long, default_value = "SYSADMIN", value_parser = Name::new)]
    pub role: Name,
    /// Role that owns the storage integration.
    #[arg(long, default_value = "ACCOUNTADMIN", value_parser = Name::new)]
    pub admin_role: Name,
    /// Storage integration (default: XML_EVENTS_ and bucket and prefix).
    #[arg(long, value_parser = Name::new)]
    pub integration: Option<Name>,
    /// Table [default: XML_EVENTS, JSON_EVENTS, NDJSON_EVENTS or PARQUET_EVENTS].
    #[arg(long, value_parser = Name::new)]
    pub table: Option<Name>,
    /// Typed view [default: the table's name and _TYPED].
    #[arg(long, value_parser = Name::new)]
    pub view: Option<Name>,
    /// Stage [default: the table's name and _STAGE].
    #[arg(long, value_parser = Name::new)]
    pub stage: Option<Name>,
    /// File format [default: the table's name and _FORMAT].
    #[arg(long, value_parser = Name::new)]
    pub file_format: Option<Name>,
    /// Pipe [default: the table's name and _PIPE].
    #[arg(long, value_parser = Name::new)]
    pub pipe_name: Option<Name>,
    /// Notification integration of a pipe on Google Cloud or Azure.
    #[arg(long, default_value = "XML_EVENTS_NOTIFICATION", value_parser = Name::new)]
    pub notification_integration: Name,
    /// AWS role that Snowflake takes to read the bucket.
    #[arg(long, value_name = "ARN", default_value = ARN_PLACEHOLDER, value_parser = role_arn)]
    pub aws_role_arn: String,
    /// External id in the role's trust policy [default: derived from bucket and prefix].
    #[arg(long, value_name = "ID", value_parser = external_id)]
    pub external_id: Option<String>,
    /// Tenant of the Azure storage account.
    #[arg(long, value_name = "ID", default_value = TENANT_PLACEHOLDER)]
    pub azure_tenant_id: String,
    /// Load by Snowpipe as objects arrive, instead of by COPY INTO. Never both on one prefix.
    #[arg(long)]
    pub pipe: bool,
    /// Print the script that takes everything away but the table and what is in it.
    #[arg(long, conflicts_with = "pipe")]
    pub drop: bool,
    /// With --drop: the table too.
    #[arg(long, requires = "drop")]
    pub drop_data: bool,
}

impl Default for ScriptOptions {
    /// What the command line means when nothing is typed.
    fn default() -> Self {
        let name = |text: &str| Name::fixed(text);
        Self {
            database: name("XML_EVENTS"),
            schema: name("ACM"),
            warehouse: None,
            role: name("SYSADMIN"),
            admin_role: name("ACCOUNTADMIN"),
            integration: None,
            table: None,
            view: None,
            stage: None,
            file_format: None,
            pipe_name: None,
            notification_integration: name("XML_EVENTS_NOTIFICATION"),
            aws_role_arn: ARN_PLACEHOLDER.to_owned(),
            external_id: None,
            azure_tenant_id: TENANT_PLACEHOLDER.to_owned(),
            pipe: false,
            drop: false,
            drop_data: false,
        }
    }
}

/// Prints the script, or the policies, for the configuration in force.
///
/// Exit code 2 when there is none for this destination; the message says what to do.
#[must_use]
pub fn run(args: &Args, target: &Target) -> ExitCode {
    match output(args, target) {
        Ok(text) => print(&text),
        Err(refused) => {
            eprintln!("{refused}");
            ExitCode::from(2)
        }
    }
}

/// What [`run`] prints.
///
/// # Errors
/// There is nothing to print for this destination.
pub fn output(args: &Args, target: &Target) -> Result<String, Refused> {
    match args.aws_policy {
        None => script(&args.options, target),
        Some(which) => aws_policy(which, &args.options, target),
    }
}

/// The script.
///
/// # Errors
/// [`Refused::Local`]: Snowflake cannot read the destination.
pub fn script(options: &ScriptOptions, target: &Target) -> Result<String, Refused> {
    if target.store == Store::Local {
        return Err(Refused::Local);
    }
    let plan = Plan::new(options, target);
    Ok(if options.drop { teardown::script(&plan) } else { setup::script(&plan) })
}

/// The AWS policies as JSON.
///
/// # Errors
/// [`Refused::NoAwsPolicy`]: the destination is not S3.
pub fn aws_policy(
    which: WhichPolicy,
    options: &ScriptOptions,
    target: &Target,
) -> Result<String, Refused> {
    if target.store != Store::S3 {
        return Err(Refused::NoAwsPolicy);
    }
    let plan = Plan::new(options, target);
    Ok(match which {
        WhichPolicy::Trust => policy::text(&policy::trust(&plan)),
        WhichPolicy::Permissions => policy::text(&policy::permissions(&plan)),
        WhichPolicy::Both => policy::text(&serde_json::json!({
            "trust": policy::trust(&plan),
            "permissions": policy::permissions(&plan),
        })),
    })
}

/// Options and target with every name decided.
#[derive(Debug)]
struct Plan<'a> {
    options: &'a ScriptOptions,
    target: &'a Target,
    integration: Name,
    table: Name,
    view: Name,
    stage: Name,
    file_format: Name,
    pipe: Name,
    manifest_stage: Name,
    manifest_format: Name,
    external_id: String,
}

impl<'a> Plan<'a> {
    fn new(options: &'a ScriptOptions, target: &'a Target) -> Self {
        let stem = format!("{}_EVENTS", target.extension().to_ascii_uppercase());
        let table = options.table.clone().unwrap_or_else(|| Name::fixed(&stem));
        let named = |typed: &Option<Name>, suffix: &str| {
            typed.clone().unwrap_or_else(|| table.with_suffix(suffix))
        };
        let stage = named(&options.stage, "_STAGE");
        Self {
            integration: options.integration.clone().unwrap_or_else(|| integration(target)),
            view: named(&options.view, "_TYPED"),
            file_format: named(&options.file_format, "_FORMAT"),
            pipe: named(&options.pipe_name, "_PIPE"),
            manifest_stage: stage.with_suffix("_MANIFESTS"),
            manifest_format: table.with_suffix("_MANIFEST_FORMAT"),
            external_id: options.external_id.clone().unwrap_or_else(|| derived_id(target)),
            stage,
            table,
            options,
            target,
        }
    }

    /// `aws`, `aws-us-gov` or `aws-cn`: what the role's ARN says.
    fn partition(&self) -> &str {
        self.options.aws_role_arn.split(':').nth(1).unwrap_or("aws")
    }

    /// The URL of the event objects.
    fn url(&self) -> String {
        self.target.url(&self.target.prefix, self.partition())
    }

    /// The URL of the manifest objects, where there are any.
    fn manifest_url(&self) -> Option<String> {
        let wanted = self.target.form.manifest_object;
        wanted.then(|| self.target.url(&self.target.manifest_prefix, self.partition()))
    }
}

/// An integration belongs to the whole account, so its name must tell two installations apart.
fn integration(target: &Target) -> Name {
    let readable: String = target
        .bucket
        .chars()
        .take(40)
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    let id = place(target);
    Name::fixed(&format!("XML_EVENTS_{readable}_{}", id.get(..8).unwrap_or(&id).to_uppercase()))
}

/// Not a secret: it tells the role that Snowflake asks on behalf of *this* integration. Derived, so
/// that the trust policy can be written before the integration exists and a second run keeps it.
fn derived_id(target: &Target) -> String {
    format!("xml-stream-aggregator-{}", place(target))
}

fn place(target: &Target) -> String {
    Checksum::of(target.url(&target.prefix, "aws").as_bytes()).to_string()
}

fn role_arn(text: &str) -> Result<String, &'static str> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, role]
            if partition.starts_with("aws")
                && (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
                    || text == ARN_PLACEHOLDER)
                && role.len() > "role/".len()
                && role.starts_with("role/")
                && !text.contains(char::is_whitespace) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("a role's ARN looks like arn:aws:iam::123456789012:role/name"),
    }
}

fn external_id(text: &str) -> Result<String, &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    match text.len() {
        2..=1224 if text.chars().all(allowed) => Ok(text.to_owned()),
        2..=1224 => Err("AWS allows letters, digits and _+=,.@:/- in an external id"),
        _ => Err("AWS allows 2 to 1224 characters in an external id"),
    }
}

fn print(text: &str) -> ExitCode {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough (`… | head`).
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("the script could not be written to standard output: {e}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests;
