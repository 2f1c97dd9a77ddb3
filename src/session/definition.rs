//! The custom resource definition as the API server gets it.
//!
//! The schema that is derived from the types says a few things in Rust's way: these are put in Kubernetes' way here.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

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
    fn paragraphs_stay() {
        assert_eq!(unwrap_paragraphs("one\ntwo\n\nthree\nfour"), "one two\n\nthree four");
    }
}
