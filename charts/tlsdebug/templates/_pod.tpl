{{/*
What the operator's pod and the test's have in common, beside their containers.
*/}}
{{- define "tlsdebug.podSpec" -}}
serviceAccountName: {{ include "tlsdebug.serviceAccountName" . }}
automountServiceAccountToken: true
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
The same of their containers.
*/}}
{{- define "tlsdebug.container" -}}
image: {{ include "tlsdebug.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources: {{- toYaml .Values.resources | nindent 2 }}
{{- end -}}

{{- define "tlsdebug.arguments" -}}
- operator
{{- with .Values.watchNamespaces }}
- --watch-namespaces={{ join "," . }}
{{- end }}
- --admin-address=0.0.0.0:8080
- --lease-name={{ include "tlsdebug.fullname" . }}
- --lease-namespace=$(POD_NAMESPACE)
- --identity=$(POD_NAME)
- --require-admission-policy={{ include "tlsdebug.requireAdmissionPolicy" . }}
- --log-format={{ .Values.logFormat }}
{{- end -}}
