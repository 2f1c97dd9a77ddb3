//! Admission policies that refuse what an operator wants to write, or write something else.

use serde_json::json;

use super::Scenario;

/// What the API server says when a policy refuses.
pub const MESSAGE: &str = "frozen until Monday";

impl Scenario {
    /// Has the API server refuse updates of a resource in the scenario's namespace unless `expression` holds. It takes a
    /// moment to be in force. There is one policy at a time.
    pub fn install_policy(&self, group: &str, resource: &str, expression: &str) {
        let name = &self.namespace;
        let metadata = json!({"name": name, "labels": {"scenario": name}});
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": metadata,
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                    "resourceRules": [{
                        "apiGroups": [group], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": [resource]
                    }]
                },
                "validations": [{"expression": expression, "message": MESSAGE}]
            }
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": metadata, "spec": {"policyName": name, "validationActions": ["Deny"]}
        });
        self.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [policy, binding]}));
    }

    /// Has the API server write `value`, a CEL expression, into the second variable of Deployment `orders` whenever that
    /// would hold the flag. Returns when it does so.
    pub async fn install_rewriting(&self, value: &str, effect: &str) {
        let name = &self.namespace;
        let metadata = json!({"name": name, "labels": {"scenario": name}});
        let path = "/spec/template/spec/containers/0/env/1/value";
        let has_flag = "object.spec.template.spec.containers[0].env[1].value.contains('javax.net.debug')";
        let patch = format!("[JSONPatch{{op: 'replace', path: '{path}', value: {value}}}]");
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1beta1", "kind": "MutatingAdmissionPolicy", "metadata": metadata,
            "spec": {
                "failurePolicy": "Fail", "reinvocationPolicy": "Never",
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                    "resourceRules": [{
                        "apiGroups": ["apps"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["deployments"]
                    }]
                },
                "matchConditions": [{"name": "has-flag", "expression": has_flag}],
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}]
            }
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1beta1", "kind": "MutatingAdmissionPolicyBinding",
            "metadata": metadata, "spec": {"policyName": name}
        });
        self.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [policy, binding]}));
        let flag = json!([{"op": "add", "path": path, "value": "-Djavax.net.debug=ssl"}]).to_string();
        let dry_run = [
            "patch",
            "deployment/orders",
            "--type=json",
            "--dry-run=server",
            "--output=json",
            "--patch",
            &flag,
        ];
        self.eventually("the policy", async || {
            let answer: serde_json::Value = serde_json::from_str(&self.kubectl(&dry_run).done()).unwrap();
            let environment = &answer["spec"]["template"]["spec"]["containers"][0]["env"];
            (environment[1]["value"] == effect).then_some(())
        })
        .await;
    }

    /// Removes the policy; this takes a moment as well.
    pub fn remove_policy(&self) {
        let kinds = "validatingadmissionpolicybindings,validatingadmissionpolicies";
        self.kubectl(&["delete", kinds, &self.namespace]).done();
    }
}
