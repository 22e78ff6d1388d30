-- The health of a SplatCompression for Argo CD. A script in argocd-cm has no string library; this one needs none.
local status = obj.status or {}

local function find(kind)
  for _, condition in ipairs(status.conditions or {}) do
    if condition.type == kind then
      return condition
    end
  end
  return {}
end

-- Before that, status speaks of an earlier spec, or of none.
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to observe the spec."}
end

local ready = find("Ready")
local health = "Progressing"
if ready.status == "True" then
  health = "Healthy"
elseif find("Stalled").status == "True" then
  health = "Degraded"
elseif status.phase == "Suspended" then
  health = "Suspended"
end
return {status = health, message = ready.message}
