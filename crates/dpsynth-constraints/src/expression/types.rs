//! Types of a compiled expression: what polars leaves narrow is widened to the types that columns
//! have, and what it would let pass, but should not, is found.

use polars::prelude::{AnyValue, DataType, Schema};
use polars_lazy::dsl::{BooleanFunction, FunctionExpr, StringFunction, TemporalFunction};
use polars_lazy::prelude::{Expr, LiteralValue, Operator};

use crate::columns::{Cell, days, iso_date, iso_moment, milliseconds};

/// Gives a node the type that columns have. Polars would read a date from its text once for every
/// evaluation, guess the width of an integer from its size, and give the length of a text and the
/// parts of a date types so narrow that a difference overflows.
pub(super) fn widened(expr: Expr) -> Expr {
    match expr {
        Expr::Cast {
            expr,
            dtype,
            options,
        } => match (&*expr, dtype.as_literal()) {
            (Expr::Literal(literal), Some(DataType::Date)) => {
                match literal.extract_str().and_then(iso_date) {
                    Some(date) => Cell::Date(days(date)).literal(),
                    None => Expr::Cast {
                        expr,
                        dtype,
                        options,
                    },
                }
            }
            (Expr::Literal(literal), Some(DataType::Datetime(..))) => {
                match literal.extract_str().and_then(iso_moment) {
                    Some(moment) => Cell::Moment(milliseconds(moment)).literal(),
                    None => Expr::Cast {
                        expr,
                        dtype,
                        options,
                    },
                }
            }
            (_, Some(DataType::Int32)) => {
                let dtype = DataType::Int64.into();
                Expr::Cast {
                    expr,
                    dtype,
                    options,
                }
            }
            _ => Expr::Cast {
                expr,
                dtype,
                options,
            },
        },
        Expr::Function {
            function: FunctionExpr::TemporalExpr(TemporalFunction::OffsetBy),
            ..
        } => expr,
        Expr::Function {
            function:
                FunctionExpr::TemporalExpr(_) | FunctionExpr::StringExpr(StringFunction::LenChars),
            ..
        } => expr.cast(DataType::Int64),
        Expr::Literal(LiteralValue::Dyn(_)) => {
            let value = literal_value(&expr);
            value.map_or(expr, |cell| cell.literal())
        }
        _ => expr,
    }
}

/// Returns the number that a literal stands for.
fn literal_value(expr: &Expr) -> Option<Cell> {
    let Expr::Literal(literal) = expr else {
        return None;
    };
    match literal.to_any_value()? {
        AnyValue::Float64(value) => Some(Cell::Float(value)),
        value if value.dtype().is_integer() => value.extract().map(Cell::Integer),
        _ => None,
    }
}

/// Returns what does not fit together in a compiled expression over columns of these types. Polars
/// compares dates with numbers in the units that it happens to store, conjoins numbers bit by bit,
/// and panics on the root of a text.
pub(super) fn misfit(plan: &Expr, schema: &Schema) -> Option<String> {
    let nodes: Vec<&Expr> = plan.into_iter().collect();
    // From the leaves, so that nothing is asked of a node whose operands are known to be wrong.
    nodes.into_iter().rev().find_map(|node| match node {
        Expr::BinaryExpr { left, op, right } => {
            let (left, right) = (kind(left, schema)?, kind(right, schema)?);
            let fits = match op {
                Operator::And | Operator::Or => left.is(Kind::Truth) && right.is(Kind::Truth),
                Operator::Plus | Operator::Minus => left.adds(right),
                Operator::Multiply | Operator::TrueDivide | Operator::Modulus => {
                    left.is(Kind::Number) && right.is(Kind::Number)
                }
                _ => left.is(right) || right.is(left),
            };
            let (left, right) = (left.words(), right.words());
            (!fits).then(|| format!("an operator between {left} and {right}"))
        }
        Expr::Function {
            input,
            function: FunctionExpr::Boolean(BooleanFunction::IsIn { .. }),
        } => {
            let [value, list] = &input[..] else {
                return None;
            };
            let (value, items) = (kind(value, schema)?, kind_of_items(list, schema)?);
            let (value_words, words) = (value.words(), items.words());
            let fits = value.is(items) || items.is(value);
            (!fits).then(|| format!("`IN` between {value_words} and a list of {words}"))
        }
        Expr::Function { input, function } => {
            let argument = kind(input.first()?, schema)?;
            let fits = needs(function).is_none_or(|needed| argument.is(needed));
            (!fits).then(|| format!("a function of {}", argument.words()))
        }
        // Polars converts what is denied; zero is not falsehood here.
        Expr::Cast { expr, dtype, .. } if dtype.as_literal() == Some(&DataType::Boolean) => {
            let denied = kind(expr, schema)?;
            (!denied.is(Kind::Truth)).then(|| format!("`NOT` before {}", denied.words()))
        }
        Expr::Ternary { predicate, .. } => {
            let predicate = kind(predicate, schema)?;
            (!predicate.is(Kind::Truth)).then(|| format!("a condition of {}", predicate.words()))
        }
        _ => None,
    })
}

/// Names a type for someone who has never heard of polars.
pub(super) fn in_words(dtype: &DataType) -> &'static str {
    Kind::of(dtype).words()
}

/// What a function needs its first argument to be.
fn needs(function: &FunctionExpr) -> Option<Kind> {
    match function {
        FunctionExpr::Abs
        | FunctionExpr::Ceil
        | FunctionExpr::Exp
        | FunctionExpr::Floor
        | FunctionExpr::Log
        | FunctionExpr::Negate
        | FunctionExpr::Pow(_)
        | FunctionExpr::Round { .. }
        | FunctionExpr::Sign => Some(Kind::Number),
        FunctionExpr::Boolean(BooleanFunction::Not) => Some(Kind::Truth),
        FunctionExpr::StringExpr(StringFunction::ConcatHorizontal { .. }) => None,
        FunctionExpr::StringExpr(_) => Some(Kind::Text),
        FunctionExpr::TemporalExpr(_) => Some(Kind::Date),
        _ => None,
    }
}

/// What the items of a list are.
fn kind_of_items(list: &Expr, schema: &Schema) -> Option<Kind> {
    let field = list.to_field(schema).ok()?;
    Some(Kind::of(field.dtype.inner_dtype().unwrap_or(&field.dtype)))
}

fn kind(plan: &Expr, schema: &Schema) -> Option<Kind> {
    // What has no type at all is for polars to refuse.
    plan.to_field(schema)
        .ok()
        .map(|field| Kind::of(&field.dtype))
}

/// The types of the rule language.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Date,
    Missing,
    Number,
    Other,
    Span,
    Text,
    Truth,
}

impl Kind {
    fn of(dtype: &DataType) -> Self {
        match dtype {
            DataType::Boolean => Self::Truth,
            DataType::Date | DataType::Datetime(..) => Self::Date,
            DataType::Duration(_) => Self::Span,
            DataType::Null => Self::Missing,
            DataType::String => Self::Text,
            dtype if dtype.is_numeric() => Self::Number,
            _ => Self::Other,
        }
    }

    /// Returns whether the kind is another or, being missing, can stand for it.
    fn is(self, other: Self) -> bool {
        self == other || self == Self::Missing
    }

    fn adds(self, other: Self) -> bool {
        let times = [Self::Date, Self::Span];
        match self {
            Self::Date | Self::Span => times.contains(&other),
            // Joining texts is an addition to polars.
            Self::Missing | Self::Number | Self::Text => other.is(self) || self.is(other),
            Self::Other | Self::Truth => false,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Date => "a date",
            Self::Missing => "nothing but missing values",
            Self::Number => "a number",
            Self::Other => "a value of another type",
            Self::Span => "a length of time",
            Self::Text => "text",
            Self::Truth => "true or false",
        }
    }
}
