/* What restores of parts of a control plane, and beside it, are tried on. */

/** The one container of a pod, with something more. */
export const container = (more = "") => `containers: [{ name: main, image: main${more} }]`;

/** A stateful set with a claim; its pods have something more, as YAML. */
export const store = (ofPods = "") => `
apiVersion: v1
kind: Service
metadata: { name: store }
spec: { clusterIP: None, selector: { app: store } }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: store }
spec:
  serviceName: store
  selector: { matchLabels: { app: store } }
  template:
    metadata: { labels: { app: store } }
    spec: { ${ofPods}${container(", volumeMounts: [{ name: data, mountPath: /data }]")} }
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
`;

/** A deployment with what it needs in its namespace. */
export const web = `
apiVersion: v1
kind: ServiceAccount
metadata: { name: web }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: web }
rules: [{ apiGroups: [""], resources: [configmaps], verbs: [get] }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: web }
data: { level: info }
---
apiVersion: v1
kind: Secret
metadata: { name: web }
stringData: { key: saved }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      serviceAccountName: web
      ${container(", envFrom: [{ configMapRef: { name: web } }, { secretRef: { name: web } }]")}
`;
