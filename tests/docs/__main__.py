"""`make docs`: write the generated parts of the pages, and the paths of openapi.yaml."""

from collections.abc import Callable

from tests.docs import markdown, openapi_paths, service_parts, trigger_parts

PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("README.md", "endpoints"): service_parts.endpoint_table,
    ("docs/api.md", "endpoints"): service_parts.endpoint_sections,
    ("docs/api.md", "codes"): service_parts.code_table,
    ("docs/architecture.md", "packages"): service_parts.package_tree,
    ("docs/security.md", "roles"): service_parts.role_table,
    ("docs/security.md", "access"): service_parts.access_table,
    ("docs/operations.md", "settings"): service_parts.setting_table,
    ("docs/operations.md", "metrics"): service_parts.metric_table,
    ("docs/manual-trigger.md", "routes"): trigger_parts.route_table,
    ("docs/manual-trigger.md", "parameters"): trigger_parts.parameter_table,
    ("docs/manual-trigger.md", "settings"): trigger_parts.setting_table,
    ("docs/manual-trigger.md", "codes"): trigger_parts.code_table,
    ("docs/manual-trigger.md", "metrics"): trigger_parts.metric_table,
}


def main() -> None:
    """Write every part, and say which ones changed."""
    for (page, part), content in PARTS.items():
        text = content()
        if markdown.generated(page, part) != text:
            markdown.put(page, part, text)
            print(f"{page}: wrote {part}")
    if openapi_paths.written() != openapi_paths.paths():
        openapi_paths.write()
        print("cimaster/openapi.yaml: wrote paths")


if __name__ == "__main__":
    main()
