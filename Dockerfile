FROM python:3.13-slim-trixie AS build
# Without pip, so that the environment contains only what the service needs.
RUN python -m venv --without-pip /opt/cimaster
COPY requirements.lock /src/
RUN pip --python /opt/cimaster/bin/python install --no-cache-dir --only-binary :all: --require-hashes \
        -r /src/requirements.lock
COPY setup.cfg pyproject.toml README.md wsgi.py /src/
COPY cimaster /src/cimaster
RUN pip --python /opt/cimaster/bin/python install --no-cache-dir --no-deps /src

FROM python:3.13-slim-trixie
# The user id is the one in k8s/base/deployment.yaml. The folder holds the embedded store, outside of Kubernetes.
RUN useradd --uid 10001 --user-group --create-home --home-dir /var/lib/cimaster --shell /usr/sbin/nologin cimaster
COPY --from=build /opt/cimaster /opt/cimaster
ENV PATH=/opt/cimaster/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CIMASTER_HOST=0.0.0.0
WORKDIR /var/lib/cimaster
USER 10001:10001
EXPOSE 8080 8090
CMD ["cimaster", "serve"]
