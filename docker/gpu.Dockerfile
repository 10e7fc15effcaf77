# medrft with the profile gpu, on verl's own pins for CUDA. From the repository's root:
#   docker build -f docker/gpu.Dockerfile -t medrft:gpu .
#   docker run --rm --gpus all --shm-size=16g medrft:gpu                             (looks whether it is fit to train)
#   docker run --rm --gpus all --shm-size=16g -v "$PWD:/data" -w /data medrft:gpu medrft train my.yaml --profile gpu
# The wheels of torch bring CUDA's libraries; the host brings the driver.
FROM python:3.11-slim-bookworm AS build
RUN python -m venv /opt/medrft
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY mae_pretrain mae_pretrain
RUN mkdir -p rewards envs recipes/config recipes/cpu \
    && /opt/medrft/bin/pip install --no-cache-dir '.[gpu]'
COPY rewards rewards
COPY envs envs
COPY recipes recipes
RUN rm -rf build && /opt/medrft/bin/pip install --no-cache-dir --no-deps --force-reinstall .

FROM python:3.11-slim-bookworm
# A compiler: Triton builds its launcher at run time. Python's headers come with the base image.
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ libgomp1 libnuma1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 medrft && install -d -o medrft /runs
COPY --from=build /opt/medrft /opt/medrft
ENV PATH=/opt/medrft/bin:$PATH PYTHONUNBUFFERED=1 NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER medrft
WORKDIR /runs
CMD ["medrft", "doctor"]
