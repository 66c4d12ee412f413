//! Reading a whole policy: its sections, then what must hold between them.

use dpsynth_constraints::{RuleKind, RuleProblem, RuleSpec, Rules};
use dpsynth_privacy::PrivacyUnit;
use dpsynth_table::Schema;
use toml::de::DeTable;

use super::columns::Columns;
use super::finding::{BUG, Finding, Findings, SYNTAX};
use super::head;
use super::rule::{self, RuleEntry};
use super::section::{Field, Section};
use super::{Engine, Model, Output, Policy, identifiers, place};

/// Reads a policy, or says everything that is wrong with it.
pub(super) fn policy(text: &str) -> Result<Policy, Findings> {
    let tree = DeTable::parse(text).map_err(|error| Findings::one(syntax(&error)))?;
    let mut out = Vec::new();
    let policy = root(tree.get_ref(), text, &mut out);
    match (Findings::sorted(out), policy) {
        (Some(findings), _) => Err(findings),
        (None, Some(policy)) => Ok(policy),
        (None, None) => Err(Findings::one(Finding::new(
            BUG,
            None,
            "the policy was refused without a reason, which is a fault of this program",
            "report it, with the policy",
        ))),
    }
}

/// Returns the columns that `rules` compute.
pub(super) fn derived_columns(rules: &[RuleSpec]) -> Vec<String> {
    let derived = |rule: &RuleSpec| match &rule.kind {
        RuleKind::Derived { column, .. } => Some(column.clone()),
        _ => None,
    };
    rules.iter().filter_map(derived).collect()
}

fn syntax(error: &toml::de::Error) -> Finding {
    Finding::new(
        SYNTAX,
        error.span(),
        format!("the policy is not TOML: {}", error.message()),
        "correct it here; the format is described at https://toml.io",
    )
}

/// Reads every section, each whether or not the others could be read.
fn root<'a>(table: &'a DeTable<'a>, text: &str, out: &mut Vec<Finding>) -> Option<Policy> {
    let mut root = Section::new("the policy", None, table);
    let version = (root.required("version", out)).and_then(|field| head::version(&field, out));
    let dataset = (root.required("dataset", out))
        .and_then(|field| field.section("`[dataset]`".to_owned(), out))
        .and_then(|section| head::dataset(section, out));
    let privacy = (root.required("privacy", out))
        .and_then(|field| field.section("`[privacy]`".to_owned(), out))
        .map(|section| (section.table(), head::privacy(section, out)));
    let universe = match root.optional("universe") {
        Some(field) => (field.section("`[universe]`".to_owned(), out))
            .and_then(|section| head::universe(section, out))
            .map(Some),
        None => Some(None),
    };
    let model = root.optional("model");
    let columns = root.required("column", out);
    let rules = root.optional("rule");
    let output = match root.optional("output") {
        Some(field) => (field.section("`[output]`".to_owned(), out))
            .and_then(|section| head::output(section, out)),
        None => Some(Output {
            rows: None,
            format: None,
        }),
    };
    root.finish(&[], "", out);

    let tokens = dataset
        .as_ref()
        .map(|dataset| dataset.missing_tokens.as_slice());
    let columns = columns.and_then(|field| Columns::read(&field, tokens.unwrap_or_default(), out));
    let rules = match rules {
        Some(field) => read_rules(&field, out),
        None => Vec::new(),
    };
    let rule_specs: Vec<RuleSpec> = rules.iter().filter_map(|rule| rule.spec.clone()).collect();
    let derived = derived_columns(&rule_specs);
    let (engine, target) = match model {
        Some(field) => read_model(&field, columns.as_ref(), &derived, out)?,
        None => (Some(None), None),
    };
    let columns = columns?;
    if let Some((table, Some(privacy))) = &privacy
        && let PrivacyUnit::User { column, .. } = &privacy.unit
    {
        let span = place::value_of(table, "user").map(|value| value.span());
        columns.expect_identifier(column, span, out);
    }
    columns.expect_something_to_model(&derived, out);
    let schema = columns.schema(out);
    let compiled = schema
        .as_ref()
        .and_then(|schema| compile(&rules, schema, &columns, text, out));

    Some(Policy {
        version: version?,
        dataset: dataset?,
        privacy: privacy?.1?,
        universe: universe?,
        model: Model {
            engine: engine?,
            target,
        },
        schema: schema?,
        ignored: columns.ignored(),
        ordered: columns.ordered(),
        open: columns.open(),
        column_reasons: columns.reasons(),
        rules: compiled?,
        rule_reasons: rules.iter().filter_map(RuleEntry::named_reason).collect(),
        rule_specs,
        output: output?,
        text: text.to_owned(),
    })
}

/// The engine, if it could be read, and the target.
type ModelParts = (Option<Option<Engine>>, Option<String>);

/// Reads `[model]`; `None` when it is not a table.
fn read_model(
    field: &Field<'_>,
    columns: Option<&Columns<'_>>,
    derived: &[String],
    out: &mut Vec<Finding>,
) -> Option<ModelParts> {
    let mut section = field.section("`[model]`".to_owned(), out)?;
    let engine = head::engine(&mut section, out);
    let target = section.optional("target");
    section.finish(&[], "", out);
    let name = target.as_ref().and_then(|target| target.text(out));
    if let (Some(columns), Some(target), Some(name)) = (columns, &target, name) {
        columns.expect_modelled(name, target, derived, out);
    }
    Some((engine, name.map(str::to_owned)))
}

fn read_rules<'a>(field: &Field<'a>, out: &mut Vec<Finding>) -> Vec<RuleEntry<'a>> {
    let mut rules = Vec::new();
    for (index, element) in field.elements(out).into_iter().flatten().enumerate() {
        if let Some(section) = element.section(format!("rule {}", index + 1), out) {
            rules.push(rule::rule(section, out));
        }
    }
    rules
}

/// Compiles the rules that could be read.
///
/// A rule that speaks of a column that could not be read is not blamed for it.
fn compile(
    rules: &[RuleEntry<'_>],
    schema: &Schema,
    columns: &Columns<'_>,
    text: &str,
    out: &mut Vec<Finding>,
) -> Option<Rules> {
    // What identifiers are is decided after the rules, so that rules cannot speak of them.
    let schema = &schema.without(&identifiers(schema)).ok()?;
    let readable: Vec<&RuleEntry<'_>> = rules.iter().filter(|rule| rule.spec.is_some()).collect();
    let specs = readable.iter().filter_map(|rule| rule.spec.clone());
    let errors = match Rules::compile(specs.collect(), schema) {
        Ok(rules) => return Some(rules),
        Err(errors) => errors,
    };
    for error in errors {
        let mut finding = rule::finding(&error, &readable, text);
        if let RuleProblem::UnknownColumn { column, .. } = &error.problem {
            if columns.is_identifier(column) {
                out.push(finding.with_note(format!(
                    "column `{column}` has the kind `id`: it is made up after the rules"
                )));
                continue;
            }
            if columns.may_be_broken(column) {
                continue;
            }
            if columns.ignored().contains(column) {
                finding = finding.with_note(format!("column `{column}` has the kind `ignore`"));
            }
        }
        out.push(finding);
    }
    None
}
