//! Walks the tree of an expression and lets pass only what is known to look at one row, to touch no
//! file and to fail on no value.

use std::collections::BTreeSet;
use std::ops::Range;

use dpsynth_table::Domain;
use sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, DataType as SqlType, DateTimeField, Expr as SqlExpr,
    Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Spanned, TypedString,
    UnaryOperator, Value, ValueWithSpan,
};

use super::literal::{bare, literal};
use super::position::Positions;
use super::{Finding, INTERVAL_FORM, vocabulary};
use crate::columns::{Columns, iso_date, iso_moment};
use crate::error::RuleProblem;

/// A plain text that stands for a date or a time.
pub(super) struct Reworded {
    /// Where it is, in bytes, quotes included.
    pub(super) place: Range<usize>,
    /// What polars needs before and after it.
    pub(super) wrapping: [&'static str; 2],
}

/// The bytes of the quotes around a text; one that is a date or a time holds none.
const QUOTES: usize = 2;

/// What a walk over an expression finds.
pub(super) struct Screen<'a> {
    schema: &'a Columns,
    positions: &'a Positions<'a>,
    /// Columns that the expression names.
    pub(super) columns: BTreeSet<String>,
    /// Plain texts that stand for dates or times, because they are compared with a column of those, and
    /// whole numbers in a list with others.
    pub(super) reworded: Vec<Reworded>,
    pub(super) findings: Vec<Finding>,
    intervals: usize,
    /// How often a column is named.
    names: usize,
}

impl<'a> Screen<'a> {
    pub(super) fn new(schema: &'a Columns, positions: &'a Positions<'a>) -> Self {
        Self {
            schema,
            positions,
            columns: BTreeSet::new(),
            reworded: Vec::new(),
            findings: Vec::new(),
            intervals: 0,
            names: 0,
        }
    }

    /// Records what is wrong below a node and returns the shape of what polars will make of it.
    pub(super) fn visit(&mut self, sql: &SqlExpr) -> Shape {
        let below = match sql {
            SqlExpr::Between {
                expr, low, high, ..
            } => {
                self.compare(expr, low, Comparison::Order);
                self.compare(expr, high, Comparison::Order);
                // Polars writes the operand twice, once for each bound, and joins two comparisons.
                let operand = self.visit(expr);
                operand
                    .beside(operand)
                    .beside(self.visit(low))
                    .beside(self.visit(high))
                    .under()
            }
            SqlExpr::BinaryOp { left, op, right } => self.visit_binary(sql, left, op, right),
            SqlExpr::Case {
                operand: None,
                conditions,
                else_result,
                ..
            } => {
                // Each arm is the alternative of the one before it.
                let alternative = else_result
                    .as_ref()
                    .map_or(Shape::default(), |result| self.visit(result));
                conditions
                    .iter()
                    .rev()
                    .fold(alternative, |alternative, arm| {
                        alternative
                            .beside(self.visit(&arm.condition))
                            .beside(self.visit(&arm.result))
                            .under()
                    })
            }
            SqlExpr::Cast {
                kind,
                expr,
                data_type,
                array: false,
                format: None,
            } => {
                let known = matches!(
                    kind,
                    CastKind::Cast | CastKind::TryCast | CastKind::SafeCast | CastKind::DoubleColon
                );
                if !known || !vocabulary::castable(data_type) {
                    self.refuse(sql, format!("a conversion to `{data_type}`"));
                }
                self.visit(expr)
            }
            SqlExpr::Ceil {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            }
            | SqlExpr::Floor {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            }
            | SqlExpr::IsNotNull(expr)
            | SqlExpr::IsNull(expr)
            | SqlExpr::Nested(expr)
            | SqlExpr::UnaryOp {
                op: UnaryOperator::Minus | UnaryOperator::Not | UnaryOperator::Plus,
                expr,
            } => self.visit(expr),
            SqlExpr::Extract { field, expr, .. } => {
                if !vocabulary::extractable(field) {
                    self.refuse(sql, format!("the part `{field}` of a date"));
                }
                self.visit(expr)
            }
            SqlExpr::Function(function) => self.visit_function(sql, function),
            SqlExpr::Identifier(name) => {
                self.visit_name(name);
                Shape::default()
            }
            SqlExpr::InList { expr, list, .. } => {
                self.reword_numbers(list);
                for item in list {
                    self.compare(expr, item, Comparison::Equality);
                    if literal(item).is_none() && !matches!(item, SqlExpr::TypedString(_)) {
                        self.refuse(item, "a list item that is not a literal".into());
                    } else {
                        self.visit(item);
                    }
                }
                self.visit(expr)
            }
            SqlExpr::IsDistinctFrom(left, right) | SqlExpr::IsNotDistinctFrom(left, right) => {
                self.compare(left, right, Comparison::Equality);
                self.visit(left).beside(self.visit(right))
            }
            SqlExpr::Like {
                any: false,
                expr,
                pattern,
                escape_char: None,
                ..
            } => {
                if !matches!(literal(pattern), Some(Value::SingleQuotedString(_))) {
                    self.refuse(pattern, "a pattern that is not a literal".into());
                }
                self.visit(expr)
            }
            SqlExpr::TypedString(typed) => {
                self.visit_date(sql, typed);
                Shape::default()
            }
            SqlExpr::Value(value) => {
                self.visit_value(sql, &value.value);
                Shape::default()
            }
            other => {
                self.refuse(other, vocabulary::construct(other));
                Shape::default()
            }
        };
        below.under()
    }

    /// Has polars read all numbers of a list as the same type, where one of them has a point.
    fn reword_numbers(&mut self, list: &[SqlExpr]) {
        let numbers = list.iter().filter_map(|item| match item {
            SqlExpr::Value(ValueWithSpan {
                value: Value::Number(text, false),
                span,
            }) => Some((text, span)),
            _ => None,
        });
        let (points, whole): (Vec<_>, Vec<_>) = numbers.partition(|(text, _)| text.contains('.'));
        if points.is_empty() {
            return;
        }
        for (_, span) in whole {
            self.reworded
                .extend(self.positions.between(*span).map(|place| Reworded {
                    place,
                    wrapping: ["", ".0"],
                }));
        }
    }

    fn visit_binary(
        &mut self,
        sql: &SqlExpr,
        left: &SqlExpr,
        op: &BinaryOperator,
        right: &SqlExpr,
    ) -> Shape {
        use BinaryOperator as Op;
        match op {
            Op::Eq | Op::NotEq => self.compare(left, right, Comparison::Equality),
            Op::Gt | Op::GtEq | Op::Lt | Op::LtEq => self.compare(left, right, Comparison::Order),
            Op::And
            | Op::Divide
            | Op::Minus
            | Op::Modulo
            | Op::Multiply
            | Op::Or
            | Op::Plus
            | Op::StringConcat => {}
            other => self.refuse(sql, format!("the operator `{other}`")),
        }
        let names = self.names;
        let (first, second) = (self.visit_operand(left), self.visit_operand(right));
        // The divisor of a remainder is looked at before.
        let shape = match op {
            Op::Modulo => first.beside(second.under()),
            _ => first.beside(second),
        };
        let computes = matches!(
            op,
            Op::Divide | Op::Minus | Op::Modulo | Op::Multiply | Op::Plus
        );
        // Polars computes it while it plans, where it does not expect an overflow.
        if computes && names == self.names && !matches!(right, SqlExpr::Interval(_)) {
            self.refuse(
                sql,
                "a calculation without a column (write its result)".into(),
            );
        }
        shape
    }

    fn visit_operand(&mut self, side: &SqlExpr) -> Shape {
        let SqlExpr::Interval(interval) = side else {
            return self.visit(side);
        };
        self.intervals += 1;
        let known = match literal(&interval.value) {
            Some(Value::SingleQuotedString(text)) if interval.leading_field.is_none() => {
                vocabulary::is_interval(text)
            }
            _ => false,
        };
        if self.intervals > MAX_INTERVALS || !known {
            self.refuse(side, INTERVAL_FORM.into());
        }
        Shape::default().under()
    }

    fn visit_function(&mut self, sql: &SqlExpr, function: &Function) -> Shape {
        let name = function.name.to_string();
        if vocabulary::couples_rows(&name) || function.over.is_some() {
            self.find(sql, RuleProblem::CouplesRows { function: name });
            return Shape::default();
        }
        let Some(expected) = vocabulary::arguments(&name) else {
            self.refuse(
                sql,
                format!("the function `{name}`{}", vocabulary::instead(&name)),
            );
            return Shape::default();
        };
        let plain = matches!(function.parameters, FunctionArguments::None)
            && function.filter.is_none()
            && function.null_treatment.is_none()
            && function.within_group.is_empty()
            && !function.uses_odbc_syntax;
        let arguments: Option<Vec<&SqlExpr>> = match &function.args {
            FunctionArguments::List(list)
                if plain && list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
            {
                list.args
                    .iter()
                    .map(|argument| match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                        _ => None,
                    })
                    .collect()
            }
            _ => None,
        };
        let Some(arguments) = arguments.filter(|arguments| expected.contains(&arguments.len()))
        else {
            self.refuse(sql, format!("`{name}` with such arguments"));
            return Shape::default();
        };
        if name.eq_ignore_ascii_case("round")
            && arguments.len() == 2
            && decimals(arguments[1]).is_none()
        {
            self.refuse(
                arguments[1],
                "a number of decimals that is not a literal from 0 to 15".into(),
            );
        }
        let mut shape = Shape::default();
        for (index, argument) in arguments.iter().enumerate() {
            let below = match vocabulary::leaves_range(&name) {
                true => self.visit(argument).under(),
                false => self.visit(argument),
            };
            // Polars writes the first argument of NULLIF twice: to compare it, and to return it.
            let twice = index == 0 && name.eq_ignore_ascii_case("nullif");
            shape = if twice {
                shape.beside(below.beside(below)).under()
            } else {
                shape.beside(below)
            };
        }
        shape
    }

    fn visit_name(&mut self, name: &Ident) {
        self.names += 1;
        match self.schema.named(&name.value) {
            Ok(column) => {
                self.columns.insert(column.name.clone());
            }
            Err(problem) => self.findings.push(Finding {
                span: self.positions.between(name.span),
                problem,
            }),
        }
    }

    fn visit_date(&mut self, sql: &SqlExpr, typed: &TypedString) {
        let date = match &typed.value.value {
            Value::SingleQuotedString(text) if typed.data_type == SqlType::Date => iso_date(text),
            _ => None,
        };
        if date.is_none() {
            self.find(
                sql,
                RuleProblem::Types {
                    detail: DATE_FORM.into(),
                },
            );
        }
    }

    fn visit_value(&mut self, sql: &SqlExpr, value: &Value) {
        let fine = match value {
            Value::Boolean(_) | Value::Null | Value::SingleQuotedString(_) => true,
            Value::Number(text, false) if text.contains('.') => {
                text.parse::<f64>().is_ok_and(f64::is_finite)
            }
            Value::Number(text, false) => text.parse::<i64>().is_ok(),
            _ => false,
        };
        if !fine {
            self.refuse(sql, format!("the literal `{value}`"));
        }
    }

    /// Reads a plain text beside a date column as a date, and finds texts that a column can never
    /// be.
    fn compare(&mut self, left: &SqlExpr, right: &SqlExpr, comparison: Comparison) {
        let (column, side) = match (subject(left), bare(right), subject(right), bare(left)) {
            (Some(name), side, ..) | (.., Some(name), side) => {
                (self.schema.named(&name.value), side)
            }
            _ => return,
        };
        let SqlExpr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            span,
        }) = side
        else {
            return;
        };
        // An unknown name is found where the walk reaches it.
        let Ok(column) = column else { return };
        match &column.domain {
            Domain::Date { .. } => match (iso_date(text), self.positions.offset(span.start)) {
                (Some(_), Some(start)) => self.reworded.push(Reworded {
                    place: start..start + text.len() + QUOTES,
                    wrapping: ["DATE ", ""],
                }),
                _ => self.find(
                    side,
                    RuleProblem::Types {
                        detail: DATE_FORM.into(),
                    },
                ),
            },
            Domain::Timestamp { .. } => {
                match (iso_moment(text), self.positions.offset(span.start)) {
                    (Some(_), Some(start)) => self.reworded.push(Reworded {
                        place: start..start + text.len() + QUOTES,
                        wrapping: ["CAST(", " AS TIMESTAMP)"],
                    }),
                    _ => self.find(
                        side,
                        RuleProblem::Types {
                            detail: MOMENT_FORM.into(),
                        },
                    ),
                }
            }
            Domain::Categorical { categories }
                if comparison == Comparison::Equality && !categories.contains(text) =>
            {
                let problem = RuleProblem::LiteralOutsideDomain {
                    column: column.name.clone(),
                    literal: format!("'{text}'"),
                };
                self.find(side, problem);
            }
            _ => {}
        }
    }

    fn refuse(&mut self, sql: &SqlExpr, construct: String) {
        self.find(sql, RuleProblem::NotAvailable { construct });
    }

    fn find(&mut self, sql: &SqlExpr, problem: RuleProblem) {
        self.findings.push(Finding {
            span: self.positions.between(sql.span()),
            problem,
        });
    }
}

/// The shape of the expression that polars will make: some operands are written twice in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    /// Nodes in all.
    pub(super) size: u64,
    /// Nodes on the longest way down.
    pub(super) depth: u64,
}

impl Shape {
    fn beside(self, other: Self) -> Self {
        Self {
            size: self.size.saturating_add(other.size),
            depth: self.depth.max(other.depth),
        }
    }

    fn under(self) -> Self {
        Self {
            size: self.size.saturating_add(1),
            depth: self.depth.saturating_add(1),
        }
    }
}

/// How two sides are compared.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Comparison {
    Equality,
    Order,
}

/// Returns the column that a side of a comparison is about: itself, or a date moved by intervals.
fn subject(sql: &SqlExpr) -> Option<&Ident> {
    match bare(sql) {
        SqlExpr::Identifier(name) => Some(name),
        SqlExpr::BinaryOp {
            left,
            op: BinaryOperator::Minus | BinaryOperator::Plus,
            right,
        } if matches!(**right, SqlExpr::Interval(_)) => subject(left),
        _ => None,
    }
}

fn decimals(sql: &SqlExpr) -> Option<u8> {
    match sql {
        SqlExpr::Value(ValueWithSpan {
            value: Value::Number(text, false),
            ..
        }) => text.parse().ok().filter(|decimals| *decimals <= 15),
        _ => None,
    }
}

const MOMENT_FORM: &str =
    "a time is written as in '2024-01-31 23:59:59', whatever the format of its column";

const DATE_FORM: &str = "a date is written as in '2024-01-31', whatever the format of its column";

/// The most intervals in one expression: so many of the longest cannot leave the calendar.
const MAX_INTERVALS: usize = 4;
