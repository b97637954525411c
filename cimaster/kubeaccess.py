"""Access to a Kubernetes API server, for the pool's store and for ProwJobs."""

from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME

from cimaster.settings import BadSetting, in_environment


def api_client(connections: int) -> ApiClient:
    """Connect as the pod's service account, or as KUBECONFIG says; BadSetting if neither can be used."""
    configuration = Configuration()
    try:
        if in_environment(SERVICE_HOST_ENV_NAME) and not in_environment("KUBECONFIG"):
            load_incluster_config(client_configuration=configuration)
        else:
            load_kube_config(client_configuration=configuration, persist_config=False)
    except (ConfigException, OSError, ValueError) as error:
        raise BadSetting(f"no access to a Kubernetes cluster is configured: {error}") from error
    configuration.retries = False
    configuration.connection_pool_maxsize = connections + 4
    return ApiClient(configuration)
