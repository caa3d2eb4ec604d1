# The `pole` command with all that it needs; compose.yaml runs ingest with it.
FROM python:3.13-slim
WORKDIR /opt/multipole
COPY requirements/run.txt requirements/run.txt
RUN pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY . .
ENV PYTHONPATH=/opt/multipole PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 multipole && install -d -o multipole /data
USER multipole
VOLUME /data
ENTRYPOINT ["python", "-m", "pole"]
