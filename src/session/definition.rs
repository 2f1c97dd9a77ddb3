//! The custom resource definition as the API server gets it.
//!
//! The schema that is derived from the types says a few things in Rust's way: these are put in Kubernetes' way here.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use serde_json::Value;

use super::spec::TLSDebugSession;

/// The custom resource definition of `TLSDebugSession`.
#[must_use]
pub fn definition() -> CustomResourceDefinition {
    let mut definition = TLSDebugSession::crd();
    for version in &mut definition.spec.versions {
        if let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
        {
            schema.description = schema
                .properties
                .as_ref()
                .and_then(|properties| properties["spec"].description.clone());
            tidy(schema);
            let spec = schema
                .properties
                .as_mut()
                .and_then(|properties| properties.get_mut("spec"));
            for (_, field) in spec.into_iter().flat_map(|spec| spec.properties.iter_mut().flatten()) {
                explain(field);
            }
        }
    }
    definition
}

fn tidy(schema: &mut JSONSchemaProps) {
    // An absent field says the same, and a null that is not allowed is dropped rather than stored.
    schema.nullable = None;
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    // Kubernetes knows signed integers only; `minimum` bounds them.
    schema.format = match schema.format.take().as_deref() {
        Some("uint32") => Some("int32".to_owned()),
        Some("uint64") => Some("int64".to_owned()),
        other => other.map(str::to_owned),
    };
    // Comments are wrapped at the editor's width, `kubectl explain` wraps at the terminal's.
    schema.description = schema.description.as_deref().map(unwrap_paragraphs);

    for property in schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
    {
        tidy(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => tidy(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(tidy),
        None => {}
    }
}

/// `kubectl explain` shows neither defaults nor what the items of a list may be: the description says it.
fn explain(field: &mut JSONSchemaProps) {
    let Some(description) = &mut field.description else {
        return;
    };
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &field.items
        && let Some(values) = &items.enum_
    {
        // Writing to a String cannot fail.
        let _ = write!(description, " Values: {}.", words(values.iter().map(|value| &value.0)));
    }
    if let Some(JSON(default)) = &field.default {
        let default = match default {
            Value::Array(values) => words(values),
            other => words([other]),
        };
        // Writing to a String cannot fail.
        let _ = write!(description, " Default: {default}.");
    }
}

fn words<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    let words = values
        .into_iter()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    words.collect::<Vec<_>>().join(", ")
}

fn unwrap_paragraphs(text: &str) -> String {
    text.split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(schema: &JSONSchemaProps, path: &str, visit: &mut impl FnMut(&JSONSchemaProps, &str)) {
        visit(schema, path);
        for (name, property) in schema.properties.iter().flatten() {
            assert!(
                property.description.is_some(),
                "{path}.{name} has no description for kubectl explain"
            );
            walk(property, &format!("{path}.{name}"), visit);
        }
        match &schema.items {
            Some(JSONSchemaPropsOrArray::Schema(items)) => walk(items, &format!("{path}[]"), visit),
            Some(JSONSchemaPropsOrArray::Schemas(_)) => panic!("{path}: a list of schemas is not structural"),
            None => {}
        }
    }

    #[test]
    fn schema_is_kubernetes_own_way_of_saying_it() {
        let definition = definition();
        let schema = definition.spec.versions[0]
            .schema
            .as_ref()
            .and_then(|schema| schema.open_api_v3_schema.as_ref());
        walk(schema.expect("a schema"), "", &mut |schema, path| {
            assert!(schema.type_.is_some(), "{path} has no type");
            assert_eq!(schema.nullable, None, "{path} is nullable");
            assert!(
                schema.one_of.is_none() && schema.any_of.is_none(),
                "{path} is not structural"
            );
            if let Some(format) = &schema.format {
                assert!(
                    ["int32", "int64", "date-time"].contains(&format.as_str()),
                    "{path} has format {format}"
                );
            }
            for value in schema.enum_.iter().flatten() {
                assert!(value.0.is_string(), "{path} allows {}", value.0);
            }
        });
    }

    #[test]
    fn descriptions_say_defaults_and_values() {
        let definition = definition();
        let schema = definition.spec.versions[0]
            .schema
            .as_ref()
            .and_then(|schema| schema.open_api_v3_schema.as_ref());
        let properties = schema.and_then(|schema| schema.properties.as_ref()).expect("a schema");
        let spec = properties["spec"].properties.as_ref().expect("fields");
        let ends = |field: &str, end: &str| {
            let description = spec[field].description.as_deref().unwrap_or_default();
            assert!(description.ends_with(end), "{field}: {description}");
        };
        ends("duration", " Default: 15m.");
        ends("maxPods", " Default: 3.");
        ends("stop", " Default: false.");
        ends("debug", ", respmgr, sni. Default: ssl, handshake.");
    }

    #[test]
    fn paragraphs_stay() {
        assert_eq!(unwrap_paragraphs("one\ntwo\n\nthree\nfour"), "one two\n\nthree four");
    }
}
