{{/* Prefix of all names. 63 characters at most, as a label's value. */}}
{{- define "splat-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "splat-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "splat-operator.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | required "serviceAccount.name must name an existing ServiceAccount when serviceAccount.create is false" -}}
{{- end -}}
{{- end -}}

{{/* What a selector may rely on for the release's life. */}}
{{- define "splat-operator.selectorLabels" -}}
app.kubernetes.io/name: splat-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "splat-operator.labels" -}}
{{ include "splat-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- /* A label's value holds no plus sign, which a version may. */}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* Who acts on resources without spec.managedBy. */}}
{{- define "splat-operator.defaultController" -}}splats.dev/splat-operator{{- end -}}

{{/* The Service for metrics. */}}
{{- define "splat-operator.metricsName" -}}
{{- include "splat-operator.fullname" . | trunc 55 | trimSuffix "-" }}-metrics
{{- end -}}

{{/* Which series are this release's, by labels that the Prometheus operator sets on what a monitor scrapes. */}}
{{- define "splat-operator.series" -}}
{{- $metrics := .Values.metrics -}}
{{- if $metrics.prometheusRule.selector -}}
{{- $metrics.prometheusRule.selector -}}
{{- else if and $metrics.podMonitor.enabled (not $metrics.serviceMonitor.enabled) -}}
namespace="{{ .Release.Namespace }}", job="{{ .Release.Namespace }}/{{ include "splat-operator.fullname" . }}"
{{- else -}}
namespace="{{ .Release.Namespace }}", job="{{ include "splat-operator.metricsName" . }}"
{{- end -}}
{{- end -}}

{{/* Namespace and name of the Lease. */}}
{{- define "splat-operator.lease" -}}
{{- printf "%s/%s" .Release.Namespace (include "splat-operator.fullname" .) -}}
{{- end -}}

{{/* An image's name; its dict holds image (a value) and root (the chart's). */}}
{{- define "splat-operator.image" -}}
{{- $registry := .image.registry | default .root.Values.global.imageRegistry -}}
{{- with $registry }}{{ . }}/{{ end }}{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end -}}

{{/* What specs get that leave it out, as JSON: fields of worker's values that are set. */}}
{{- define "splat-operator.workerDefaults" -}}
{{- $defaults := dict -}}
{{- range $name := list "imagePullSecrets" "resources" "nodeSelector" "tolerations" "runtimeClassName" "s3" -}}
{{- with index $.Values.worker $name }}{{ $_ := set $defaults $name . }}{{ end -}}
{{- end -}}
{{- with .Values.worker.scratch -}}
{{- if and .storageClassName (not .size) }}{{ fail "worker.scratch.storageClassName needs worker.scratch.size" }}{{ end -}}
{{- $scratch := dict -}}
{{- range $name, $value := . }}{{ if $value }}{{ $_ := set $scratch $name $value }}{{ end }}{{ end -}}
{{- if $scratch }}{{ $_ := set $defaults "scratch" $scratch }}{{ end -}}
{{- end -}}
{{- toJson $defaults -}}
{{- end -}}

{{/*
All that the operator may do beside what rbac.yaml adds, stated here alone. Secrets are not in it: the kubelet gives them to
the workers' pods.
*/}}
{{- define "splat-operator.rules" -}}
- apiGroups: [splats.dev]
  resources: [splatcompressions]
  # To patch is for the finalizer of those whose outputs go with them (spec.deletionPolicy).
  verbs: [get, list, watch, patch]
- apiGroups: [splats.dev]
  resources: [splatcompressions/status]
  verbs: [patch]
# Asked for by clusters that guard owner references which block a deletion, as OpenShift does.
- apiGroups: [splats.dev]
  resources: [splatcompressions/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# Progress stands in the log.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
# Why a Job can make no pod stands in its Events only.
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
# What Kueue says about a Job that waits in its queue.
- apiGroups: [kueue.x-k8s.io]
  resources: [workloads]
  verbs: [list, watch]
{{- end -}}
