{{- define "tlsdebug.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tlsdebug.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "tlsdebug.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "tlsdebug.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/*
The Job's own name and label: what selects the operator's pods is not to select its pod.
*/}}
{{- define "tlsdebug.drainName" -}}
{{- printf "%s-drain" (include "tlsdebug.name" . | trunc 57 | trimSuffix "-") -}}
{{- end -}}

{{- define "tlsdebug.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tlsdebug.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tlsdebug.labels" -}}
{{ include "tlsdebug.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
Annotations of an object's metadata: those that every object gets, and its own where it has some ("own").
*/}}
{{- define "tlsdebug.annotations" -}}
{{- with mustMerge (deepCopy (default dict .own)) .Values.commonAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
{{- end -}}
{{- end -}}

{{/*
A digest names one image for ever; a tag beside it would only be for people.
*/}}
{{- define "tlsdebug.imageReference" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "tlsdebug.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tlsdebug.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tlsdebug.image" -}}
image: {{ include "tlsdebug.imageReference" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{/*
What the restricted pod security standard asks of a pod and of a container.
*/}}
{{- define "tlsdebug.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "tlsdebug.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/*
Where the pods run: the same for the operator and for the Job that ends its sessions.
*/}}
{{- define "tlsdebug.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
How the operator is called, and what it reads from its pod; the same for the test that asks whether it works.
*/}}
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

{{- define "tlsdebug.environment" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end -}}

{{/*
Whether the operator is to look for the admission policy. It can only where it has a ClusterRole; elsewhere the
administrator vouches for it, by having this release install it or by saying so.
*/}}
{{- define "tlsdebug.requireAdmissionPolicy" -}}
{{- if not .Values.watchNamespaces -}}
{{- .Values.requireAdmissionPolicy -}}
{{- else if and .Values.requireAdmissionPolicy (not .Values.admissionPolicy.enabled) -}}
{{- fail "With watchNamespaces the operator cannot look for the admission policy: set admissionPolicy.enabled=true to install it with this release, or requireAdmissionPolicy=false to vouch that another one is in its place" -}}
{{- else -}}
false
{{- end -}}
{{- end -}}
