//! Admission policies that refuse what an operator wants to write.

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

    /// Removes the policy; this takes a moment as well.
    pub fn remove_policy(&self) {
        let kinds = "validatingadmissionpolicybindings,validatingadmissionpolicies";
        self.kubectl(&["delete", kinds, &self.namespace]).done();
    }
}
