{{/*
The operator's rights in a namespace whose sessions it serves. There is none on secrets, and none on pods/exec.
*/}}
{{- define "tlsdebug.rules" -}}
# It follows sessions, marks each with its finalizer, and deletes those whose ttlAfterFinished is over.
- apiGroups: [tlsdebug.io]
  resources: [tlsdebugsessions]
  verbs: [get, list, watch, patch, delete]
# Phase, conditions and findings.
- apiGroups: [tlsdebug.io]
  resources: [tlsdebugsessions/status]
  verbs: [patch]
# It reads the template and the rollout, adds the flag and takes it off again, and finds what an interrupted session left.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, patch]
# Once no pod uses the flag, the revision with it is deleted: `kubectl rollout undo` would bring the flag back. The
# Deployment controller may have copied the record onto a revision of the owner's, from which it is taken off.
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list, patch, delete]
# It finds the pods that carry the flag.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# It reads what their JVMs print.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
# It tells of each change of phase at the session and at the workload; a repeated event is counted by a patch.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if .Values.rbac.allow.clone }}
# Strategy Clone runs one more pod and removes it with the session.
- apiGroups: [""]
  resources: [pods]
  verbs: [create, delete]
# Where OwnerReferencesPermissionEnforcement is on, only this lets it own a pod with blockOwnerDeletion.
- apiGroups: [tlsdebug.io]
  resources: [tlsdebugsessions/finalizers]
  verbs: [update]
{{- end }}
{{- if .Values.rbac.allow.readConfigMaps }}
# A variable that comes from a config map is appended to only where its key is known to be there.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
{{- end }}
{{- end -}}
