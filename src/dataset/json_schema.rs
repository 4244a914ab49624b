//! The JSON Schema of a row, made from its columns. It describes a row as JSON, as `synthd episode
//! show --json` prints it: money is a decimal text, and a column that is null may be left out.

use serde_json::{Map, Value, json};
use synthd_actors::model::{ColumnType, RowColumn, RowFormat};

/// The JSON Schema of rows of a format.
pub fn json_schema(format: RowFormat) -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(format.schema()));
    schema.extend(object(format.columns()));
    Value::Object(schema)
}

/// The schema of a struct.
fn object(columns: &[RowColumn]) -> Map<String, Value> {
    let properties: Map<_, _> =
        columns.iter().map(|column| (column.name.to_owned(), property(column))).collect();
    let required = columns.iter().filter(|column| !column.nullable).map(|column| column.name);
    let required: Vec<&str> = required.collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("required".to_owned(), json!(required));
    schema
}

/// The schema of one column.
fn property(column: &RowColumn) -> Value {
    let mut schema = value(&column.kind);
    if column.nullable
        && let Some(kind) = schema.get_mut("type")
    {
        *kind = json!([kind.take(), "null"]);
    }
    schema.insert("description".to_owned(), json!(column.doc));
    Value::Object(schema)
}

/// The schema of the values of a type.
fn value(kind: &ColumnType) -> Map<String, Value> {
    let schema = match kind {
        ColumnType::Text => json!({ "type": "string" }),
        ColumnType::TextMap => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        ColumnType::Int32 => json!({ "type": "integer", "format": "int32" }),
        ColumnType::Int64 => json!({ "type": "integer", "format": "int64" }),
        ColumnType::Float => json!({ "type": "number", "format": "double" }),
        ColumnType::Bool => json!({ "type": "boolean" }),
        ColumnType::Money => {
            json!({ "type": "string", "format": "decimal", "pattern": "^[0-9]+\\.[0-9]{2,9}$" })
        }
        ColumnType::List(item) => json!({ "type": "array", "items": value(item) }),
        ColumnType::Struct(columns) => return object(columns),
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::{completion, row};

    /// Whether a value has the type that the schema says, and so have all values inside of it.
    fn fits(schema: &Value, value: &Value) -> bool {
        let kinds = match &schema["type"] {
            Value::Array(kinds) => kinds.clone(),
            kind => vec![kind.clone()],
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        kinds.contains(&json!(kind)) && inside(schema, value)
    }

    fn inside(schema: &Value, value: &Value) -> bool {
        let known = schema.get("properties").and_then(Value::as_object);
        match (value, known) {
            (Value::Array(items), _) => items.iter().all(|item| fits(&schema["items"], item)),
            (Value::Object(fields), Some(known)) => {
                let required = schema["required"].as_array().unwrap();
                required.iter().all(|name| fields.contains_key(name.as_str().unwrap()))
                    && fields.iter().all(|(name, value)| {
                        known.get(name).is_some_and(|schema| fits(schema, value))
                    })
            }
            _ => true,
        }
    }

    #[test]
    fn rows_as_json_are_what_the_schema_says() {
        for n in 0..20 {
            let row = serde_json::to_value(row(n)).unwrap();
            assert!(fits(&json_schema(RowFormat::Trajectory), &row), "{row:#}");
            let row = serde_json::to_value(completion(n)).unwrap();
            assert!(fits(&json_schema(RowFormat::Completion), &row), "{row:#}");
        }
        let row = serde_json::to_value(row(0)).unwrap();
        assert!(!fits(&json_schema(RowFormat::Completion), &row));
    }

    #[test]
    fn every_column_has_a_meaning() {
        for format in RowFormat::ALL {
            let text = json_schema(format).to_string();
            assert!(!text.contains("\"description\":\"\""), "{text}");
        }
    }
}
