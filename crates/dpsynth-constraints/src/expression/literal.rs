//! Literals, and what a rule that is made of one assigns to a column.

use dpsynth_table::{Column, Domain};
use sqlparser::ast::{BinaryOperator, Expr as SqlExpr, UnaryOperator, Value};

use super::Assignment;
use crate::columns::{Cell, Columns, days, iso_date, iso_moment, may_miss, milliseconds};

/// Reads `column = literal` and `column IS NULL`, where the column can hold what is assigned.
pub(super) fn assignment(sql: &SqlExpr, columns: &Columns) -> Option<Assignment> {
    match bare(sql) {
        SqlExpr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } => {
            let (name, side) = match (bare(left), bare(right)) {
                (SqlExpr::Identifier(name), side) | (side, SqlExpr::Identifier(name)) => {
                    (name, side)
                }
                _ => return None,
            };
            let column = columns.named(&name.value).ok()?;
            let cell = cell(column, side).filter(|cell| cell.fits(column))?;
            Some(Assignment {
                column: column.name.clone(),
                cell: Some(cell),
            })
        }
        SqlExpr::IsNull(inner) => {
            let SqlExpr::Identifier(name) = bare(inner) else {
                return None;
            };
            let column = columns
                .named(&name.value)
                .ok()
                .filter(|column| may_miss(column))?;
            Some(Assignment {
                column: column.name.clone(),
                cell: None,
            })
        }
        _ => None,
    }
}

/// Reads a literal in the type of a column.
fn cell(column: &Column, sql: &SqlExpr) -> Option<Cell> {
    let (sign, sql) = match sql {
        SqlExpr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => ("-", bare(expr)),
        other => ("", other),
    };
    let value = match sql {
        SqlExpr::TypedString(typed) => &typed.value.value,
        other => literal(other)?,
    };
    match (&column.domain, value) {
        (Domain::Categorical { .. }, Value::SingleQuotedString(text)) => {
            Some(Cell::Text(text.clone()))
        }
        (Domain::Date { .. }, Value::SingleQuotedString(text)) => {
            iso_date(text).map(|date| Cell::Date(days(date)))
        }
        (Domain::Timestamp { .. }, Value::SingleQuotedString(text)) => {
            iso_moment(text).map(|moment| Cell::Moment(milliseconds(moment)))
        }
        (Domain::Float { .. }, Value::Number(text, _)) => {
            format!("{sign}{text}").parse().ok().map(Cell::Float)
        }
        (Domain::Duration { form, .. }, Value::SingleQuotedString(text)) => {
            form.parse(text).map(Cell::Integer)
        }
        (Domain::Duration { .. } | Domain::Integer { .. }, Value::Number(text, _)) => {
            format!("{sign}{text}").parse().ok().map(Cell::Integer)
        }
        _ => None,
    }
}

/// Strips brackets.
pub(super) fn bare(sql: &SqlExpr) -> &SqlExpr {
    match sql {
        SqlExpr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// Returns the value of a literal; a minus sign before a number is part of it.
pub(super) fn literal(sql: &SqlExpr) -> Option<&Value> {
    match sql {
        SqlExpr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match literal(expr) {
            number @ Some(Value::Number(..)) => number,
            _ => None,
        },
        SqlExpr::Value(value) => Some(&value.value),
        _ => None,
    }
}
