{{/*
The operator's rights in a namespace whose sessions it serves. There is none on secrets, and none on pods/exec.
*/}}
{{- define "tlsdebug.rules" -}}
# It follows sessions, marks each with its finalizer, makes and stops those of the other end (spec.peer), and deletes those
# whose ttlAfterFinished is over.
- apiGroups: [tlsdebug.io]
  resources: [tlsdebugsessions]
  verbs: [create, get, list, watch, patch, delete]
# Phase, conditions and findings.
- apiGroups: [tlsdebug.io]
  resources: [tlsdebugsessions/status]
  verbs: [patch]
# It reads the template and the rollout, adds the flag and takes it off again, and finds what an interrupted session left.
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [get, list, watch, patch]
# Once no pod uses the flag, the revision with it is deleted: `kubectl rollout undo` would bring the flag back. The
# workload's controller may have copied the record onto a revision of the owner's, from which it is taken off.
- apiGroups: [apps]
  resources: [replicasets, controllerrevisions]
  verbs: [list, patch, delete]
# It finds the pods that carry the flag.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# It reads what their JVMs print.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
# It tells of each change of phase at the session and at the workload, each of which comes once.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- if .Values.rbac.allow.deleteStuckPods }}
# A StatefulSet that replaces its pods in order waits for ever for one with the flag that does not become ready, even when
# the flag is out of the template: that pod is deleted.
- apiGroups: [""]
  resources: [pods]
  verbs: [delete]
{{- end }}
{{- if .Values.rbac.allow.clone }}
# Strategy Clone runs one more pod and removes it with the session.
- apiGroups: [""]
  resources: [pods]
  verbs: [create, delete]
# The pod gets none of the labels that Services select.
- apiGroups: [""]
  resources: [services]
  verbs: [list]
{{- end }}
{{- if .Values.rbac.allow.readConfigMaps }}
# A variable that a whole config map may set (envFrom) is appended to only where its key is known to be there.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
{{- end }}
{{- end -}}
